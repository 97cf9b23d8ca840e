// The loggers of roots with lanes, by the number their records carry: a record must not point to what a handle may
// free.
//
// A number is given back only after a sweep of all lanes that began after its last handle died: until then a record may
// carry it. Taking and retiring are lock-free (the numbers free and those retired are two stacks of indices); a lock is
// taken only where the table grows, once in 1024 loggers that live at the same time.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "cairn/detail/fork_mutex.hpp"
#include "pipeline/logger_parts.hpp"

namespace cairn::detail {

class LoggerTable {
 public:
  /// The process's; never destroyed.
  [[nodiscard]] static LoggerTable& instance() noexcept;

  /// A number for it, above 0.
  [[nodiscard]] std::uint32_t take(std::shared_ptr<const LoggerParts> parts);
  /// Its last handle died. True: so many wait that a sweep should come.
  bool retire(std::uint32_t id) noexcept;

  // ---- the reader of the lanes, one thread at a time
  /// Tells who has that number from who had it before. For whoever reads the lanes, and while a handle lives.
  [[nodiscard]] std::uint64_t serial(std::uint32_t id) const noexcept { return node(id).serial; }
  /// What that number stands for.
  [[nodiscard]] const std::shared_ptr<const LoggerParts>& at(std::uint32_t id) const noexcept { return node(id).parts; }
  /// Before a sweep, and after it: numbers retired before it are free then.
  [[nodiscard]] std::uint32_t begin_sweep() noexcept;
  void end_sweep(std::uint32_t retired) noexcept;

 private:
  static constexpr std::uint32_t chunk_size = 1024;
  static constexpr std::uint32_t max_chunks = 16384;
  struct Node {
    std::shared_ptr<const LoggerParts> parts;
    std::atomic<std::uint32_t> next{0};
    std::uint64_t serial = 0;  // as parts
  };
  [[nodiscard]] Node& node(std::uint32_t id) const noexcept {
    // acquire: pairs with the release in grow(); the chunk is whole
    return chunks_[id / chunk_size].load(std::memory_order_acquire)[id % chunk_size];
  }
  [[nodiscard]] std::uint32_t pop_free() noexcept;
  void push_free(std::uint32_t id) noexcept;
  void grow();

  std::array<std::atomic<Node*>, max_chunks> chunks_{};
  std::uint32_t chunk_count_ = 0;       // guarded by growing_
  std::atomic<std::uint64_t> free_{0};  // the first id, and above it a count that changes with every pop
  std::atomic<std::uint32_t> retired_{0};
  std::atomic<std::uint32_t> waiting_{0};
  ForkMutex growing_;
};

}  // namespace cairn::detail
