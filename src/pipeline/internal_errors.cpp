#include "pipeline/internal_errors.hpp"

#include "cairn/detail/critical_section.hpp"
#include "cairn/output_buffer.hpp"
#include "platform/bounded_write.hpp"
#include "platform/no_cancellation.hpp"
#include "text/text_escape.hpp"

namespace cairn::detail {

void InternalErrors::report(std::initializer_list<std::string_view> parts, Held held) noexcept {
  try {
    std::string text;
    for (const std::string_view part : parts) text += part;
    {
      const CriticalSection here;
      const std::lock_guard lock(mutex_);
      const auto now = clock_.steady();
      if (now < next_ && held == Held::when_too_many) {
        ++held_back_;
        return;
      }
      next_ = now + std::chrono::seconds(1);
      if (held_back_ != 0) text += " (" + std::to_string(held_back_) + " more messages were held back)";
      held_back_ = 0;
    }
    const NoCancellation uncancelled;
    if (callback_) {
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
