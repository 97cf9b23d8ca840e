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

struct alignas(64) WriteWindow {  // a call that comes after a pause may have to wait for each line that it reads
  // The lane's cursor: the address of the next record over a count of records.
  static constexpr unsigned cursor_shift = 16;
  static constexpr std::uint64_t nobody = UINT64_MAX;  // a root's key that none has, nor a logger

  std::atomic<std::uint64_t>* cursor = nullptr;  // null: there is no window
  std::uint64_t root_key = nobody;               // whose lane this is; nobody: none's, or a call is writing
  std::uint64_t cursor_now = 0;                  // what that holds, whose line the dispatcher's core may have
  std::byte* end = nullptr;                      // null: every call takes the slow path, which looks why
  bool keeps_in_ring = false;                    // what is written goes into a crash ring, too
  std::uint32_t max_string = 0;                  // longer ones are cut, which is the slow path's business
  std::uint32_t max_record = 0;  // the same; 0: not even of the lane is anything to be used, it is the parent's
  void* lane = nullptr;          // a ThreadLane

  /// From now on there is none. In this order, so that a signal handler's call that comes between finds none, or finds
  /// that it interrupts one.
  void close() noexcept {
    root_key = nobody;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    cursor = nullptr;
    end = nullptr;
  }
  /// For a call that is about to write, and saw that cursor and then its root's key: from here on one nested in it (a
  /// signal handler's) is refused, until the key is there again. False: one that came between has made the window
  /// another one, and there is none now.
  [[nodiscard, gnu::always_inline]] bool shut(const std::atomic<std::uint64_t>* seen) noexcept {
    root_key = nobody;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (std::atomic_ref(cursor).load(std::memory_order_relaxed) == seen &&
        std::atomic_ref(root_key).load(std::memory_order_relaxed) == nobody) [[likely]]
      return true;
    root_key = nobody;
    cursor = nullptr;
    return false;
  }
  /// After a record of `size` bytes, while the window is shut: the lines that come some records later become this
  /// core's, while the caller does other things. The reader's core has read them, and each would be waited for. By a
  /// store, as a prefetch for writing leaves a line as it is that is here to be read.
  [[gnu::always_inline]] void claim_ahead(const std::byte* record, std::size_t size) const noexcept {
    constexpr std::size_t ahead = 640;
    constexpr std::uintptr_t line = 64;
    const auto begin = reinterpret_cast<std::uintptr_t>(record);
    const auto last = reinterpret_cast<std::uintptr_t>(end);
    const std::uintptr_t until = begin + size + ahead < last ? begin + size + ahead : last;
    const std::size_t behind = size + sizeof(std::uint32_t);  // of the record, and the word that ends it
    const std::size_t claimed = behind < ahead ? ahead : behind;
    for (std::uintptr_t at = (begin + claimed + line - 1) & ~(line - 1); at < until; at += line)
      std::atomic_ref(*reinterpret_cast<std::uint32_t*>(at)).store(0, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // a signal handler's record may come there once it is open
  }
  /// In a process just forked: the lane is the parent's. A call that a signal handler interrupted to fork may go on
  /// there, in memory of which this process has a copy, and has the next one look for a lane.
  void forget() noexcept {
    keeps_in_ring = false;
    max_record = 0;
    end = nullptr;
    if (root_key != nobody) close();
  }
};

// initial-exec: one load from the thread's own register, no call, whatever kind of library this is in.
extern constinit thread_local WriteWindow write_window [[gnu::tls_model("initial-exec")]];

/// What callers are told, all in a line that hardly changes and that every call has read. Relaxed: hints and numbers by
/// themselves.
struct alignas(64) CallerHints {
  enum Rest : std::uint32_t {
    awake,
    asleep,  // until it is woken
    dozing,  // makes a long pause, in which it counts on few events and none after a silence
  };
  std::atomic<std::uint32_t> dispatcher_rests{awake};
  std::atomic<std::uint32_t> most_event_bytes{UINT32_MAX};  // what the memory budgets of all loggers leave of an event
  // While it dozes, in ticks of the processor's counter:
  std::atomic<std::uint64_t> newest_call{0};
  std::atomic<std::uint64_t> longest_gap{UINT64_MAX};  // between two calls
};
extern constinit CallerHints caller_hints;
/// Of a call that finds the dispatcher at rest: wakes it if it is to be woken for that.
[[gnu::cold]] void wake_dispatcher() noexcept;

/// Makes the thread's window one of that logger's root, with room for a record of `bytes`. False: it is one already, or
/// the call cannot be written through a window; then it takes the way of a Submission.
[[gnu::noinline]] bool prepare_window(const LoggerCore& logger, std::size_t bytes) noexcept;

/// What follows `record` where it goes into the crash ring, too; then opens the window again, and wakes the dispatcher
/// if it sleeps: the last that a call does.
[[gnu::noinline]] void finish_call(const LoggerCore& logger, const std::byte* record) noexcept;

}  // namespace cairn::detail
