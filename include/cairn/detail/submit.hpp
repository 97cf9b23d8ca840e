// From a call to a record: what every log function and macro goes through once its level is on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <source_location>
#include <string_view>
#include <type_traits>

#include "cairn/detail/capture_writer.hpp"
#include "cairn/detail/codec.hpp"
#include "cairn/detail/record.hpp"
#include "cairn/detail/template_check.hpp"
#include "cairn/level.hpp"

namespace cairn::detail {

struct LoggerState;

/// The exception that stands before a template: one of the two, or neither.
struct ThrownException {
  const std::exception* reference = nullptr;
  const std::exception_ptr* pointer = nullptr;
};

/// One call being captured. Made on the stack of the call; begin, write the arguments, deliver.
class Submission {
 public:
  /// Macro form.
  Submission(const LoggerState& logger, const CallSite& site, std::uint64_t structure_mask,
             ThrownException thrown) noexcept;
  /// Function form: `text` is a literal.
  Submission(const LoggerState& logger, Level level, const char* text, const std::source_location& location,
             const ValueType* const* types, std::uint64_t structure_mask, ThrownException thrown) noexcept;
  /// Dynamic form: `text` is copied.
  Submission(const LoggerState& logger, Level level, std::string_view text, const std::source_location& location,
             const ValueType* const* types, std::uint64_t structure_mask, ThrownException thrown) noexcept;
  Submission(const Submission&) = delete;
  Submission& operator=(const Submission&) = delete;
  ~Submission();

  /// False: refused and counted; nothing may be written.
  [[nodiscard]] explicit operator bool() const noexcept { return slot_ != nullptr; }
  [[nodiscard]] CaptureWriter& writer() noexcept { return writer_; }
  /// Tells which argument is written next.
  void argument(unsigned index) noexcept {
    writer_.structure = writer_.wants_structure(index);
    writer_.depth = 0;
  }
  /// What user code threw outside any container: counted; the event is lost with that reason.
  void fail() noexcept;
  /// Runs the pipeline. Nothing throws.
  void deliver() noexcept;

 private:
  void begin(std::uint32_t flags, const void* site, const ThrownException& thrown);

  const LoggerState& logger_;
  void* slot_;  // the thread's buffer in use
  CaptureWriter writer_;
};

template <class... A>
void write_arguments(Submission& submission, A&... arguments) {
  [[maybe_unused]] unsigned index = 0;
  ((submission.argument(index++), write_value(submission.writer(), arguments)), ...);
}

template <class Site, class... A>
[[gnu::noinline]] void submit_site(const LoggerState& logger, const Site& site, std::uint64_t structure_mask,
                                   ThrownException thrown, A&... arguments) noexcept {
  Submission submission(logger, site, structure_mask, thrown);
  if (!submission) return;
  try {
    write_arguments(submission, arguments...);
  } catch (...) {
    submission.fail();
    return;
  }
  submission.deliver();
}

template <class Text, class... A>
[[gnu::noinline]] void submit_text(const LoggerState& logger, Level level, Text text,
                                   const std::source_location& location, std::uint64_t structure_mask,
                                   ThrownException thrown, A&... arguments) noexcept {
  Submission submission(logger, level, text, location, type_pack<std::remove_cv_t<A>...>, structure_mask, thrown);
  if (!submission) return;
  try {
    write_arguments(submission, arguments...);
  } catch (...) {
    submission.fail();
    return;
  }
  submission.deliver();
}

/// String literals of every length share one encoder.
template <class T>
struct Passed {
  using type = T;
  static T& pass(T& value) noexcept { return value; }
};
template <std::size_t N>
struct Passed<const char[N]> {
  using type = const char* const;
  static const char* pass(const char (&value)[N]) noexcept { return value; }
};

template <class T>
using PassedType = std::remove_cv_t<std::remove_reference_t<T>>;

/// A template known when the program compiles, checked against the types of its arguments.
template <class... A>
class LiteralTemplate {
 public:
  template <std::size_t N>
  consteval LiteralTemplate(const char (&text)[N], std::source_location location = std::source_location::current())
      : text_(text),
        location_(location),
        structure_mask_(check_template<PassedType<A>...>(std::string_view(text, N - 1), {}, false)) {}

  [[nodiscard]] constexpr const char* text() const noexcept { return text_; }
  [[nodiscard]] constexpr const std::source_location& location() const noexcept { return location_; }
  [[nodiscard]] constexpr std::uint64_t structure_mask() const noexcept { return structure_mask_; }

 private:
  const char* text_;
  std::source_location location_;
  std::uint64_t structure_mask_;
};

}  // namespace cairn::detail

namespace cairn {

/// A template for `log.information("…", args…)`: any string literal converts to it, and is checked while compiling.
template <class... A>
using Template = detail::LiteralTemplate<std::type_identity_t<A>...>;

/// A template known only at run time; see dynamic_template().
struct DynamicTemplate {
  std::string_view text;
  std::source_location location;
};

/// Says that a template is not a literal: `log.write(level, cairn::dynamic_template(text), args…)`. It is parsed
/// leniently: malformed holes are text, surplus arguments are kept as `__0`, `__1`, …; never pass untrusted text as a
/// literal's replacement without it. Borrows `text` for the call.
[[nodiscard]] constexpr DynamicTemplate dynamic_template(
    std::string_view text, std::source_location location = std::source_location::current()) noexcept {
  return {text, location};
}

}  // namespace cairn
