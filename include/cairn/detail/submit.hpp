// From a call to a record: what every log function and macro goes through once its level is on.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <source_location>
#include <string_view>
#include <type_traits>

#include "cairn/detail/capture_writer.hpp"
#include "cairn/detail/codec.hpp"
#include "cairn/detail/flat_value.hpp"
#include "cairn/detail/record.hpp"
#include "cairn/detail/template_check.hpp"
#include "cairn/detail/write_window.hpp"
#include "cairn/level.hpp"

namespace cairn::detail {

/// The exception that stands before a template: one of the two, or neither.
struct ThrownException {
  const std::exception* reference = nullptr;
  const std::exception_ptr* pointer = nullptr;
};

struct CallSlot;

/// One call being captured. Made on the stack of the call; begin, write the arguments, deliver.
class Submission {
 public:
  /// Macro form.
  Submission(const LoggerCore& logger, const CallSite& site, ThrownException thrown) noexcept;
  /// Function form: `text` is a literal.
  Submission(const LoggerCore& logger, Level level, const char* text, const std::source_location& location,
             const ValueType* const* types, std::uint64_t structure_mask, ThrownException thrown) noexcept;
  /// Dynamic form: `text` is copied.
  Submission(const LoggerCore& logger, Level level, std::string_view text, const std::source_location& location,
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
  void deliver_to_lane(CallSlot& slot);

  const LoggerCore& logger_;
  void* slot_;  // the thread's buffer in use
  CaptureWriter writer_;
};

template <class... A>
void write_arguments(Submission& submission, A&... arguments) {
  [[maybe_unused]] unsigned index = 0;
  ((submission.argument(index++), write_value(submission.writer(), arguments)), ...);
}

/// A literal and what is fixed about its call in the function form.
struct LiteralText {
  const char* characters;
  std::source_location location;
  std::uint64_t structure_mask;
};

/// Bytes of a record of flat values.
template <class... F>
[[nodiscard, gnu::always_inline]] inline std::size_t flat_record_size(bool of_function, const F&... values) noexcept {
  constexpr bool has_text = (std::is_same_v<F, FlatString> || ...);
  std::size_t size = sizeof(RecordHeader) + (fixed_size<F> + ... + 0) + (of_function ? sizeof(FunctionFormHeader) : 0);
  if constexpr (has_text) size += (text_size(values) + ... + 0);
  return (size + 7) & ~std::size_t{7};
}

/// The record of a call whose arguments are all flat, written straight into the thread's window. False: nothing was
/// written, and the call has to take a longer way. Nothing here calls out before the record is whole, so that only a
/// signal handler can come between, and the values stay in the registers in which they came.
template <class... F>
[[gnu::always_inline]] inline bool write_flat(const LoggerCore& logger, std::uint32_t flags, const void* site,
                                              const FunctionFormHeader* function, const F&... values) noexcept {
  const std::size_t size = flat_record_size(function != nullptr, values...);
  WriteWindow& window = write_window;
  // acquire: pairs with the release of whoever ended the root, so that the slow path, which counts, finds it ended
  if (logger.threshold->load(std::memory_order_acquire) == level_ended) [[unlikely]]
    return false;
  std::atomic<std::uint64_t>* const cursor = std::atomic_ref(window.cursor).load(std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (window.root_key != logger.root_key) [[unlikely]]
    return false;
  if constexpr ((std::is_same_v<F, FlatString> || ...)) {
    if (size > window.max_record || ((text_size(values) > window.max_string) || ...)) [[unlikely]]
      return false;
  }
  if (!window.shut(cursor)) [[unlikely]]
    return false;
  const std::uint64_t at = window.cursor_now;
  const auto address = static_cast<std::uintptr_t>(at >> WriteWindow::cursor_shift);
  if (address + size > reinterpret_cast<std::uintptr_t>(window.end)) [[unlikely]] {
    window.root_key = logger.root_key;
    return false;
  }
  auto* const record = reinterpret_cast<std::byte*>(address);

  // relaxed: published by the release below, which the reader's acquire of the word before it pairs with
  std::atomic_ref(*reinterpret_cast<std::uint32_t*>(record + size)).store(0, std::memory_order_relaxed);
  // Member by member: a header made elsewhere and copied over would be read before its parts are written.
  std::memcpy(record + offsetof(RecordHeader, logger), &logger.id, sizeof(logger.id));
  std::memcpy(record + offsetof(RecordHeader, site), &site, sizeof(site));
  std::byte* to = record + sizeof(RecordHeader);
  if (function != nullptr) {
    std::memcpy(to, function, sizeof(*function));
    to += sizeof(*function);
  }
  ((to = put_flat(to, values)), ...);
  // The time last: what is written needs no register any more.
  const auto time = static_cast<std::int64_t>(__builtin_ia32_rdtsc());
  std::memcpy(record + offsetof(RecordHeader, time), &time, sizeof(time));
  const auto word = static_cast<std::uint32_t>(size / 8 << RecordHeader::size_shift) | flags | RecordHeader::tsc_time;
  // release: the record is whole; pairs with the reader's acquire of this word
  std::atomic_ref(*reinterpret_cast<std::uint32_t*>(record)).store(word, std::memory_order_release);
  window.cursor_now = at + (std::uint64_t{size} << WriteWindow::cursor_shift | 1);
  // release: whoever counts what the lane holds, and has seen this count, finds so many records
  cursor->store(window.cursor_now, std::memory_order_release);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (window.keeps_in_ring) [[unlikely]] {
    finish_call(logger, record);
    return true;
  }
  window.claim_ahead(record, size);
  window.root_key = logger.root_key;
  // relaxed: the dispatcher's membarrier between setting it and its last look stands for the order of store and load
  if (caller_hints.dispatcher_rests.load(std::memory_order_relaxed) != CallerHints::awake) [[unlikely]]
    wake_dispatcher();
  return true;
}

/// After a call was not written: if it was the window that had no room for it, opens one that has. False: there is
/// none to be had, or something else was the reason.
[[nodiscard]] inline bool opens_window(const LoggerCore& logger, std::size_t size) noexcept {
  return logger.root_key != 0 && logger.threshold->load(std::memory_order_relaxed) != level_ended &&
         prepare_window(logger, size);
}

/// What remains of such a call when there is no window for it.
template <class... F>
[[gnu::noinline]] void submit_values(Submission& submission, const F&... values) noexcept {
  if (!submission) return;
  try {
    CaptureWriter& out = submission.writer();
    std::byte* to = nullptr;
    const bool short_texts = ((text_size(values) <= out.limits().string_bytes) && ...);
    if (short_texts) [[likely]]
      to = out.claim(((fixed_size<F> + text_size(values)) + ... + 0));
    if (to != nullptr) [[likely]] {
      ((to = put_flat(to, values)), ...);
    } else {  // something is to be cut
      (put_flat(out, values), ...);
    }
  } catch (...) {
    submission.fail();
    return;
  }
  submission.deliver();
}

template <class... F>
void submit_slowly_site(const LoggerCore& logger, const CallSite& site, F... values) noexcept;

template <class... F>
[[gnu::noinline]] void submit_flat_site(const LoggerCore& logger, const CallSite& site, F... values) noexcept {
  if (!write_flat(logger, static_cast<std::uint32_t>(site.level), &site, nullptr, values...)) [[unlikely]]
    submit_slowly_site(logger, site, values...);
}

/// By value, so that the function above need not have anything in memory.
template <class... F>
[[gnu::noinline]] void submit_slowly_site(const LoggerCore& logger, const CallSite& site, F... values) noexcept {
  if (opens_window(logger, flat_record_size(false, values...))) return submit_flat_site(logger, site, values...);
  Submission submission(logger, site, {});
  submit_values(submission, values...);
}

template <class... A, class... F>
void submit_slowly_text(const LoggerCore& logger, Level level, const char* text, const void* location,
                        F... values) noexcept;

/// `A`: the types of the arguments, of which `values` are the flat form. All in registers: no call site has to build
/// anything in memory, which g++ does for a class by value; so `location` is a std::source_location's bits.
template <class... A, class... F>
[[gnu::noinline]] void submit_flat_text(const LoggerCore& logger, Level level, const char* text, const void* location,
                                        F... values) noexcept {
  const FunctionFormHeader function{std::bit_cast<std::source_location>(location), type_pack<A...>};
  if (!write_flat(logger, static_cast<std::uint32_t>(level) | RecordHeader::function_form, text, &function, values...))
      [[unlikely]]
    submit_slowly_text<A...>(logger, level, text, location, values...);
}

template <class... A, class... F>
[[gnu::noinline]] void submit_slowly_text(const LoggerCore& logger, Level level, const char* text, const void* location,
                                          F... values) noexcept {
  if (opens_window(logger, flat_record_size(true, values...)))
    return submit_flat_text<A...>(logger, level, text, location, values...);
  Submission submission(logger, level, text, std::bit_cast<std::source_location>(location), type_pack<A...>, 0, {});
  submit_values(submission, values...);
}

template <class... A>
[[gnu::noinline]] void submit_any_site(const LoggerCore& logger, const CallSite& site, ThrownException thrown,
                                       A&... arguments) noexcept {
  Submission submission(logger, site, thrown);
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
[[gnu::noinline]] void submit_text(const LoggerCore& logger, Level level, Text text,
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

template <class T>
using PassedType = std::remove_cv_t<std::remove_reference_t<T>>;

/// A template known when the program compiles, checked against the types of its arguments.
template <class... A>
class LiteralTemplate {
 public:
  template <std::size_t N>
  consteval LiteralTemplate(const char (&literal)[N], std::source_location location = std::source_location::current())
      : parts_{literal, location,
               check_template<PassedType<A>...>(std::string_view(literal, N - 1), {}, false).structure_mask} {}

  [[nodiscard]] constexpr const char* text() const noexcept { return parts_.characters; }
  [[nodiscard]] constexpr const LiteralText& parts() const noexcept { return parts_; }

 private:
  LiteralText parts_;  // no base: clang 16 cannot compile a derived class made by a consteval constructor
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
