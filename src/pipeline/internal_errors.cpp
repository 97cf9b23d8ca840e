#include "pipeline/internal_errors.hpp"

#include <algorithm>
#include <utility>

#include "cairn/detail/critical_section.hpp"
#include "cairn/output_buffer.hpp"
#include "platform/bounded_write.hpp"
#include "platform/futex.hpp"
#include "platform/no_cancellation.hpp"
#include "text/text_escape.hpp"

namespace cairn::detail {

namespace {
constinit thread_local const InternalErrors* called_by = nullptr;  // whose callback this thread is in
}

/// A call of the callback that is under way; counted as one under the lock.
class InternalErrors::Call {
 public:
  explicit Call(InternalErrors& errors) noexcept : errors_(errors), before_(std::exchange(called_by, &errors)) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    called_by = before_;
    {
      const CriticalSection here;
      const std::lock_guard lock(errors_.mutex_);
      // relaxed: the lock orders it. It is 0 in a process that was forked by the callback.
      if (errors_.calls_.load(std::memory_order_relaxed) != 0) errors_.calls_.fetch_sub(1, std::memory_order_relaxed);
    }
    wake_all(errors_.calls_);
  }

 private:
  InternalErrors& errors_;
  const InternalErrors* const before_;
};

void InternalErrors::end_callback(std::chrono::steady_clock::time_point deadline) noexcept {
  const std::uint32_t own = called_by == this ? 1 : 0;
  while (true) {
    std::uint32_t calls = 0;
    {
      const CriticalSection here;
      const std::lock_guard lock(mutex_);
      ended_ = true;
      calls = calls_.load(std::memory_order_relaxed);  // relaxed: the lock orders it
    }
    const auto now = std::chrono::steady_clock::now();
    if (calls <= own || now >= deadline) return;
    wait_on(calls_, calls, std::max<std::chrono::nanoseconds>(deadline - now, std::chrono::nanoseconds(1)));
  }
}

void InternalErrors::free_after_fork() noexcept {
  mutex_.free_after_fork();
  calls_.store(0, std::memory_order_relaxed);  // relaxed: there is one thread
}

void InternalErrors::report(std::initializer_list<std::string_view> parts, Held held) noexcept {
  try {
    std::string text;
    for (const std::string_view part : parts) text += part;
    bool calls = false;
    {
      const CriticalSection here;
      const std::lock_guard lock(mutex_);
      if (held == Held::when_too_many) {
        const auto now = clock_.steady();
        if (now < next_) {
          ++held_back_;
          return;
        }
        next_ = now + std::chrono::seconds(1);
        if (held_back_ != 0) text += " (" + std::to_string(held_back_) + " more messages were held back)";
        held_back_ = 0;
      }
      calls = callback_ && !ended_;
      if (calls) calls_.fetch_add(1, std::memory_order_relaxed);  // relaxed: the lock orders it
    }
    const NoCancellation uncancelled;
    if (calls) {
      const Call call(*this);
      callback_(text);
      return;
    }
    OutputBuffer line;  // what a sink threw may hold anything, and stderr is often a terminal
    line.append("cairn: ");
    format::append_text_escaped(line, text);
    line.append('\n');
    if (write_to_stderr(line.view())) return;
    const CriticalSection here;
    const std::lock_guard lock(mutex_);
    ++held_back_;  // told with the next one that gets through
  } catch (...) {
    // the program's own callback, or no memory: there is nobody left to tell
  }
}

}  // namespace cairn::detail
