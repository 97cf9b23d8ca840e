#include "pipeline/internal_errors.hpp"

#include <unistd.h>

namespace cairn::detail {

void InternalErrors::report(std::string_view message) noexcept {
  try {
    std::string text(message);
    {
      const std::lock_guard lock(mutex_);
      const auto now = clock_.steady();
      if (now < next_) {
        ++held_back_;
        return;
      }
      next_ = now + std::chrono::seconds(1);
      if (held_back_ != 0) text += " (" + std::to_string(held_back_) + " more messages were held back)";
      held_back_ = 0;
    }
    if (callback_) {
      callback_(text);
      return;
    }
    text.insert(0, "cairn: ");
    text += '\n';
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
  } catch (...) {
    // the program's own callback, or no memory: there is nobody left to tell
  }
}

}  // namespace cairn::detail
