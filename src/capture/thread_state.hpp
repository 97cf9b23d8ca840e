// What a thread keeps between calls: buffers for its records, and its context. Made on the thread's first call, freed
// by a pthread key after its C++ thread_locals are gone, so that logging from their destructors is safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cairn/detail/capture_writer.hpp"
#include "cairn/detail/write_window.hpp"
#include "capture/property_block.hpp"

namespace cairn::detail {

struct ThreadState;
class ActivePipeline;

/// One call in flight on a thread. Calls nest when user code logs while it is captured, filtered or emitted.
struct CallSlot {
  CaptureBuffer record;
  CaptureBuffer rewritten;                 // the record with its `$` arguments as strings
  PropertyBlock extras;                    // what enrichers added
  CaptureLimits limits;                    // of this call, where they are not the logger's
  ThreadState* thread = nullptr;           // whose it is
  const PropertyBlock* context = nullptr;  // that its event refers to
  bool busy = false;
};

/// Something that belongs to the thread and must hear of its end: its lanes.
class ThreadAttachment {
 public:
  virtual ~ThreadAttachment() = default;
  /// The last the thread says; this object may be gone when the call returns.
  virtual void thread_exits() noexcept = 0;
  ThreadAttachment* next_of_thread = nullptr;
};

/// The context that a snapshot's scope put aside.
struct CoveredContext {
  std::uint64_t scope = 0;
  PropertyBlock before;
  std::uint64_t version = 0;
};

/// A number that no other living thread of the process has, small where few live; or none, where many do.
class ThreadNumber {
 public:
  static constexpr unsigned most = 32;
  ThreadNumber() noexcept;
  ThreadNumber(const ThreadNumber&) = delete;
  ThreadNumber& operator=(const ThreadNumber&) = delete;
  ~ThreadNumber();
  /// Under `most`; that itself stands for none. What the thread that had it before wrote is seen.
  [[nodiscard]] unsigned value() const noexcept { return value_; }

 private:
  unsigned value_;
};

/// Tells the contexts of a thread apart: where the version is the same, the context is. Never 0.
struct ContextVersion {
  static constexpr std::uint64_t of_snapshot = std::uint64_t{1} << 63U;  // it is that in all threads
  static constexpr std::uint64_t of_empty_snapshot = of_snapshot;
};

/// A context as a call found it.
struct ContextInForce {
  const PropertyBlock& block;
  std::uint64_t version;
};

struct ThreadState {
  static constexpr unsigned max_nesting = 4;
  ThreadState() = default;
  ThreadState(const ThreadState&) = delete;
  ThreadState& operator=(const ThreadState&) = delete;
  ~ThreadState();

  CallSlot slots[max_nesting];
  PropertyBlock contexts[max_nesting + 1];
  PropertyBlock* context = contexts;  // what is in force
  std::uint64_t context_version = 1;  // a ContextVersion
  std::uint64_t newest_version = 1;   // of those that are the thread's alone
  std::uint64_t next_scope = 1;       // ids of context entries
  std::vector<CoveredContext>
      covered;  // the first covered_count are in use, outermost first; the others keep their memory
  std::size_t covered_count = 0;
  CaptureBuffer scratch;  // for a value on its way into a block
  bool scratch_lent = false;
  const ActivePipeline* inside_of = nullptr;  // the innermost of the pipelines that this thread is inside of
  bool of_cairn = false;                      // it delivers: it never waits for room in a queue
  bool in_slow_path = false;                  // at work on its lanes
  std::int64_t no_lane_before = 0;  // ns, steady: there was no memory for one, and it does not ask again until then
  ThreadAttachment* attachments = nullptr;
  const ThreadNumber number;

  [[nodiscard]] ContextInForce context_in_force() const noexcept { return {*context, context_version}; }
  /// To be called before the context is changed: an event that is being delivered keeps the one that it refers to, and
  /// a copy is in force from now on. False: there is no memory for it.
  [[nodiscard]] bool leave_context_to_events() noexcept;
  /// Gives its lanes up; the next call to a logger makes another.
  void let_go_attachments() noexcept;
  /// Sends the thread's next call on the slow path, which looks at what holds then.
  static void close_window() noexcept { write_window.end = nullptr; }
};

// Trivially destructible, so that it can be read at any time of a thread's life.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local ThreadState* current_thread_state;
[[nodiscard, gnu::cold]] ThreadState* make_thread_state() noexcept;

/// The calling thread's; null only where memory for it cannot be had, or while it is being freed.
[[nodiscard]] inline ThreadState* thread_state() noexcept {
  return current_thread_state != nullptr ? current_thread_state : make_thread_state();
}

}  // namespace cairn::detail
