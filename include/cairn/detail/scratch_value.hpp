// A value on its way into a context or an event: captured into a buffer that the thread keeps, so that a warm push
// allocates nothing.
#pragma once

#include <type_traits>

#include "cairn/detail/capture_writer.hpp"
#include "cairn/value.hpp"

namespace cairn::detail {

inline constexpr CaptureLimits default_capture_limits{};
/// A context takes 4 KiB at most. What is cut at these limits is over that too, so nothing is ever pushed in part.
inline constexpr CaptureLimits context_capture_limits{.event_bytes = 16 * 1024};

/// Lives on the stack of one call.
class ScratchValue {
 public:
  template <class T>
  ScratchValue(const T& value, const CaptureLimits& limits) noexcept
      : lent_(lend()), writer_(lent_ != nullptr ? *lent_ : own_, limits) {
    if constexpr (std::is_same_v<T, Value>) {
      view_ = value;
      complete_ = true;
    } else if constexpr (std::is_same_v<T, OwnedValue>) {
      view_ = value.view();
      cut_ = value.truncated();
      complete_ = true;
    } else {
      try {
        writer_.structure = false;  // as of an OwnedValue: the string form, where a type has one beside its structure
        write_dynamic(writer_, value);
        view_ = Value(dynamic_type, writer_.data());
        cut_ = writer_.cuts() != 0;
        complete_ = true;
      } catch (...) {  // no memory
      }
    }
  }
  ScratchValue(const ScratchValue&) = delete;
  ScratchValue& operator=(const ScratchValue&) = delete;
  ~ScratchValue() {
    if (lent_ != nullptr) give_back();
  }

  /// False: memory could not be had.
  [[nodiscard]] bool complete() const noexcept { return complete_; }
  /// Something of it is over the limits, and was cut.
  [[nodiscard]] bool cut() const noexcept { return cut_; }
  /// Null where it is not complete.
  [[nodiscard]] const Value& view() const noexcept { return view_; }

 private:
  /// The thread's buffer; null where it is in use already: user code that is captured may push something itself.
  [[nodiscard]] static CaptureBuffer* lend() noexcept;
  static void give_back() noexcept;

  CaptureBuffer own_;
  CaptureBuffer* lent_;
  CaptureWriter writer_;
  Value view_;
  bool cut_ = false;
  bool complete_ = false;
};

}  // namespace cairn::detail
