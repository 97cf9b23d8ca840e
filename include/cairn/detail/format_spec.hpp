// What stands after the colon of a hole (`{Price:>10.2f}`), taken apart and checked.
//
//   constexpr auto spec = cairn::detail::parse_format_spec(">10.2f", FormatClass::floating);
//   static_assert(spec && spec->width == 10 && spec->precision == 2 && spec->type == 'f');
//
// The grammar is std::format's for the class of value, without nested `{}` and without a locale, plus Cairn's own
// types. The same function serves literals at compile time and dynamic templates at run time; it allocates nothing and
// never throws. Formatting itself does not live here: this header is read at every call site.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "cairn/detail/utf8.hpp"

namespace cairn::detail {

/// Which grammar a value's format follows.
enum class FormatClass : std::uint8_t {
  none,  ///< takes no format at all
  boolean,
  character,
  integer,
  floating,
  string,
  pointer,
  time_point,
  duration,
  secret,  ///< padding alone: what is shown is `***`
  any,     ///< not known yet: what any of the above would take
};

enum class FormatAlign : std::uint8_t { none, left, right, centre };
enum class FormatSign : std::uint8_t { minus, plus, space };  // minus: only where negative

/// A checked format. Default-made, it is the empty one.
struct FormatSpec {
  char fill[4] = {' ', 0, 0, 0};  // one code point as UTF-8
  std::uint8_t fill_size = 1;
  FormatAlign align = FormatAlign::none;
  FormatSign sign = FormatSign::minus;
  bool alternate = false;       // '#'
  bool zero = false;            // '0'; means nothing beside an alignment, as in std::format
  std::uint16_t width = 0;      // display columns
  std::int16_t precision = -1;  // -1: none
  char type = 0;                // 0: none
  /// The part from the first `%` on, of times and durations. Points into the text that was parsed.
  std::string_view time_pattern;

  [[nodiscard]] constexpr std::string_view fill_text() const noexcept { return {fill, fill_size}; }
  /// Says nothing about padding, so that padding can be skipped.
  [[nodiscard]] constexpr bool unpadded() const noexcept { return width == 0; }
};

/// Widths and precisions go up to here; a format that asks for more is refused.
inline constexpr int max_format_width = 4096;

/// The size of the `%` conversion that `text` begins with (it begins with `%`), or 0 where it is none of ours.
/// `cls` is time_point or duration.
constexpr std::size_t time_conversion_size(std::string_view text, FormatClass cls) noexcept {
  if (text.size() < 2) return 0;
  const char c = text[1];
  if (c == '3' || c == '6' || c == '9') return text.size() > 2 && text[2] == 'f' ? 3 : 0;
  constexpr std::string_view both = "HIMSTRrpjnt%";
  if (both.find(c) != std::string_view::npos) return 2;
  constexpr std::string_view of_times = "YmdzZaAbBeyCFDuwshGgVUWcxX";
  constexpr std::string_view of_durations = "Qq";
  const std::string_view own = cls == FormatClass::time_point ? of_times : of_durations;
  return own.find(c) != std::string_view::npos ? 2 : 0;
}

/// Reads a format from left to right; each step takes what it knows and says whether all is still well.
class FormatSpecParser {
 public:
  constexpr explicit FormatSpecParser(std::string_view text) noexcept : text_(text) {}

  constexpr std::optional<FormatSpec> parse(FormatClass cls) noexcept {
    if (text_.empty()) return spec_;
    if (cls == FormatClass::none || !fill_and_align() || !flags() || !number_fields()) return std::nullopt;
    const bool chrono = cls == FormatClass::time_point || cls == FormatClass::duration;
    if (chrono ? !pattern(cls) : !type_letter()) return std::nullopt;
    if (!allowed(cls)) return std::nullopt;
    return spec_;
  }

 private:
  [[nodiscard]] constexpr char peek() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }
  constexpr bool take(char c) noexcept {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  static constexpr FormatAlign align_of(char c) noexcept {
    return c == '<'   ? FormatAlign::left
           : c == '>' ? FormatAlign::right
           : c == '^' ? FormatAlign::centre
                      : FormatAlign::none;
  }

  constexpr bool fill_and_align() noexcept {
    const Utf8Step first = decode_utf8(text_.data(), text_.data() + text_.size());
    if (text_.size() > first.size && align_of(text_[first.size]) != FormatAlign::none) {
      if (!first.valid || text_[0] == '{' || text_[0] == '}') return false;
      for (std::uint8_t i = 0; i < first.size; ++i) spec_.fill[i] = text_[i];
      spec_.fill_size = first.size;
      spec_.align = align_of(text_[first.size]);
      at_ = first.size + 1u;
    } else if (align_of(text_[0]) != FormatAlign::none) {
      spec_.align = align_of(text_[0]);
      at_ = 1;
    }
    return true;
  }

  constexpr bool flags() noexcept {
    if (take('+')) {
      signed_ = true;
      spec_.sign = FormatSign::plus;
    } else if (take(' ')) {
      signed_ = true;
      spec_.sign = FormatSign::space;
    } else if (take('-')) {
      signed_ = true;
    }
    spec_.alternate = take('#');
    spec_.zero = take('0');
    return true;
  }

  // Digits; -1 where over the cap.
  constexpr int number() noexcept {
    int value = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      value = value * 10 + (peek() - '0');
      if (value > max_format_width) return -1;
    }
    return value;
  }

  constexpr bool number_fields() noexcept {
    const int width = number();
    if (width < 0) return false;
    spec_.width = static_cast<std::uint16_t>(width);
    if (take('.')) {
      if (peek() < '0' || peek() > '9') return false;
      const int precision = number();
      if (precision < 0) return false;
      spec_.precision = static_cast<std::int16_t>(precision);
    }
    return true;
  }

  constexpr bool type_letter() noexcept {
    if (at_ < text_.size()) spec_.type = text_[at_++];
    return at_ == text_.size();
  }

  constexpr bool pattern(FormatClass cls) noexcept {
    spec_.time_pattern = text_.substr(at_);
    if (spec_.time_pattern.empty()) return true;
    if (spec_.time_pattern[0] != '%') return false;
    for (; at_ < text_.size(); ++at_) {
      if (peek() == '{' || peek() == '}') return false;
      if (peek() != '%') continue;
      const std::size_t size = time_conversion_size(text_.substr(at_), cls);
      if (size == 0) return false;
      at_ += size - 1;
    }
    return true;
  }

  [[nodiscard]] constexpr bool type_is_one_of(std::string_view letters) const noexcept {
    return spec_.type == 0 || letters.find(spec_.type) != std::string_view::npos;
  }

  // What the class takes: which letters, and which flags beside them.
  [[nodiscard]] constexpr bool allowed(FormatClass cls) const noexcept {
    const bool number_flags = signed_ || spec_.alternate || spec_.zero;
    const bool precise = spec_.precision >= 0;
    switch (cls) {
      case FormatClass::boolean:  // `B` is Cairn's: true/false, where std::format has 0b
        if (precise || !type_is_one_of("sBbdoxX")) return false;
        return !number_flags || (spec_.type != 0 && spec_.type != 's' && spec_.type != 'B');
      case FormatClass::character:
        if (precise || !type_is_one_of("cbBdoxX")) return false;
        return !number_flags || (spec_.type != 0 && spec_.type != 'c');
      case FormatClass::integer: return !precise && type_is_one_of("bBcdoxX") && !(number_flags && spec_.type == 'c');
      case FormatClass::floating: return type_is_one_of("aAeEfFgG");
      case FormatClass::string: return !number_flags && type_is_one_of("sljuw");
      case FormatClass::pointer: return !number_flags && !precise && type_is_one_of("p");
      case FormatClass::time_point: return !number_flags && !precise;
      case FormatClass::duration: return !number_flags;
      case FormatClass::secret: return !number_flags && !precise && spec_.type == 0;
      default: return false;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool signed_ = false;
  FormatSpec spec_{};
};

/// The format `text` says, for a value of class `cls`; nothing where the class does not take it. An empty text is the
/// empty format and always taken. For `any`, the first class in the order of the enumeration that takes it decides.
constexpr std::optional<FormatSpec> parse_format_spec(std::string_view text, FormatClass cls) noexcept {
  if (cls != FormatClass::any) return FormatSpecParser(text).parse(cls);
  for (auto each = FormatClass::boolean; each != FormatClass::any;
       each = static_cast<FormatClass>(static_cast<std::uint8_t>(each) + 1)) {
    if (auto spec = FormatSpecParser(text).parse(each)) return spec;
  }
  return std::nullopt;
}

}  // namespace cairn::detail
