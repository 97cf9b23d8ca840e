// Where the calling thread writes its next record: a run of free bytes in a block of its lane. What a log call does
// when there is room stands in submit.hpp; everything else (another root, a full block, a context that changed) is the
// slow path behind prepare_window().
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "cairn/detail/level_word.hpp"

namespace cairn::detail {

/// What a log call needs of a logger. The root's key is a number that no other root ever has; 0: never written through
/// a window.
struct LoggerCore {
  const LevelWord* threshold = nullptr;
  std::uint64_t root_key = 0;
  std::uint32_t id = 0;  // in the records
};

struct WriteWindow {
  // Why `end` is null although a lane is there; a call in progress sets none, so that a nested call can tell it.
  static constexpr std::uint32_t context_changed = 1;
  static constexpr std::uint32_t inside_pipeline = 2;
  static constexpr std::uint32_t moved = 4;  // by a signal handler's call, while another was about to write
  // Not one of those: what is written goes into a crash ring, too. `end` is there.
  static constexpr std::uint32_t ring = 8;

  std::byte* position = nullptr;
  std::byte* end = nullptr;                             // null: every call takes the slow path
  std::uint64_t root_key = 0;                           // whose lane this is
  std::uint64_t captured = 0;                           // records written so far
  std::atomic<std::uint64_t>* captured_word = nullptr;  // where the lane keeps that number for others to read
  std::uint32_t reasons = 0;
  std::uint32_t max_string = 0;  // longer ones are cut, which is the slow path's business
  std::uint32_t max_record = 0;
  void* lane = nullptr;  // a ThreadLane, where `ring` is set
};

// initial-exec: one load from the thread's own register, no call, whatever kind of library this is in.
extern constinit thread_local WriteWindow write_window [[gnu::tls_model("initial-exec")]];

/// 1 while the dispatcher sleeps until it is woken; almost always 0, and read by every call.
extern constinit std::atomic<std::uint32_t> dispatcher_asleep;
[[gnu::cold]] void wake_dispatcher() noexcept;

/// Makes the thread's window one of that logger's root, with room for a record of `bytes`. False: the call cannot be
/// written through a window, and takes the way of a Submission.
[[gnu::noinline]] bool prepare_window(const LoggerCore& logger, std::size_t bytes) noexcept;

/// What follows `record` where there are reasons: it goes into the crash ring. Opens the window again up to `end`, or
/// leaves it closed, and wakes the dispatcher if it sleeps: the last that a call does.
[[gnu::noinline]] void finish_call(const std::byte* record, std::byte* end) noexcept;

}  // namespace cairn::detail
