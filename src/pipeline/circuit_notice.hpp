// A change of a sink's circuit breaker, and the event that tells of it in the output of its fallback.
#pragma once

#include <mutex>
#include <string_view>
#include <vector>

#include "cairn/circuit_breaker.hpp"
#include "cairn/detail/capture_writer.hpp"
#include "cairn/detail/fork_mutex.hpp"
#include "cairn/event.hpp"
#include "capture/property_block.hpp"

namespace cairn::detail {

/// `The circuit breaker of {Sink} is {State} ({Cause})`, with the source `Cairn`: a warning, when it lets through what
/// it should an information.
class CircuitNoticeRecord {
 public:
  /// Throws std::bad_alloc.
  CircuitNoticeRecord(std::string_view sink, const CircuitTransition& change);
  [[nodiscard]] Event event() const;

 private:
  CaptureBuffer bytes_;
  PropertyBlock source_;
  bool warning_;
};

/// Changes that the output of a fallback does not tell of yet. Safe from every thread; its lock is held for no more
/// than a copy.
class CircuitNotices {
 public:
  static constexpr std::size_t most = 16;  // then the oldest are forgotten

  void add(const CircuitTransition& change) noexcept;
  [[nodiscard]] std::vector<CircuitTransition> take() noexcept;

 private:
  ForkMutex mutex_;
  std::vector<CircuitTransition> changes_;
};

}  // namespace cairn::detail
