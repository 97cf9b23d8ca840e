// What the dispatcher keeps of a root between one sweep and the next.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "dispatch/dispatcher.hpp"

namespace cairn::detail {

/// A root and what it has in lanes.
struct Dispatcher::Route {
  std::shared_ptr<LaneRoot> root;
  std::vector<std::unique_ptr<ThreadLane>> lanes;
  std::vector<ThreadLane*> ready;     // those with an event to take in this sweep
  std::shared_ptr<EventBatch> batch;  // being filled
  std::size_t bytes = 0;              // of the queues that it will take, where the root counts them
  std::uint64_t plain = 0;            // events in it that are not counted as dispatched yet
  bool left = false;                  // by this sweep: events for which there is no memory, or an overfull queue
  // Of the event before, which the batch keeps alive.
  std::shared_ptr<const LoggerParts> logger;
  std::uint32_t logger_id = 0;
  const PropertyBlock* context = nullptr;
  /// Of what it keeps alive and has charged, each in the place its address gives: threads and loggers take turns.
  std::array<const void*, 8> kept{};
  [[nodiscard]] const void*& kept_beside(const void* side) noexcept {
    return kept[(reinterpret_cast<std::uintptr_t>(side) >> 4U) * 0x9E3779B97F4A7C15U >> 61U];
  }
  [[nodiscard]] bool keeps(const void* side) noexcept { return kept_beside(side) == side; }
};

}  // namespace cairn::detail
