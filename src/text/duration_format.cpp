// Durations are split exactly, in 128 bits where the count is whole; a floating count to the nanosecond.
#include "text/duration_format.hpp"

#include <cmath>
#include <concepts>

#include "text/display_width.hpp"
#include "text/number_format.hpp"
#include "text/time_digits.hpp"

namespace cairn::format {
namespace {

using detail::FormatClass;

struct Unit {
  std::int64_t num, den;
  std::string_view name;
};

constexpr Unit units[] = {
    {1, 1'000'000'000, "ns"},
    {1, 1'000'000, "us"},
    {1, 1'000, "ms"},
    {1, 1, "s"},
    {60, 1, "min"},
    {3600, 1, "h"},
    {86400, 1, "d"},
    {1, 1'000'000'000'000'000'000, "as"},
    {1, 1'000'000'000'000'000, "fs"},
    {1, 1'000'000'000'000, "ps"},
    {1, 100, "cs"},
    {1, 10, "ds"},
    {10, 1, "das"},
    {100, 1, "hs"},
    {1'000, 1, "ks"},
    {1'000'000, 1, "Ms"},
    {1'000'000'000, 1, "Gs"},
    {1'000'000'000'000, 1, "Ts"},
    {1'000'000'000'000'000, 1, "Ps"},
    {1'000'000'000'000'000'000, 1, "Es"},
};

// A duration without its sign.
struct Parts {
  std::uint64_t seconds;
  std::uint32_t nanoseconds;
  bool overflow;  // more seconds than can be counted, or not a number: patterns cannot show it
};

std::uint64_t magnitude(std::uint64_t count) noexcept { return count; }
std::uint64_t magnitude(std::int64_t count) noexcept {
  const auto bits = static_cast<std::uint64_t>(count);
  return count < 0 ? 0 - bits : bits;
}
template <std::floating_point Count>
Count magnitude(Count count) noexcept {
  return std::fabs(count);
}

template <std::integral Count>
Parts parts_of(Count count, std::int64_t num, std::int64_t den) noexcept {
  const auto total = static_cast<UInt128>(magnitude(count)) * static_cast<std::uint64_t>(num);
  const auto by = static_cast<std::uint64_t>(den);
  const UInt128 seconds = total / by;
  const auto rest = static_cast<std::uint64_t>(total % by);
  return {static_cast<std::uint64_t>(seconds), static_cast<std::uint32_t>(UInt128{rest} * 1'000'000'000u / by),
          (seconds >> 64) != 0};
}

Parts parts_of(double count, std::int64_t num, std::int64_t den) noexcept {
  const long double total =
      static_cast<long double>(magnitude(count)) * static_cast<long double>(num) / static_cast<long double>(den);
  if (!(total < 1.8e19L)) return {0, 0, true};
  auto seconds = static_cast<std::uint64_t>(total);
  auto nanoseconds = static_cast<std::uint32_t>((total - static_cast<long double>(seconds)) * 1e9L + 0.5L);
  if (nanoseconds >= 1'000'000'000) {  // rounded up into the next second
    nanoseconds = 0;
    ++seconds;
  }
  return {seconds, nanoseconds, false};
}

// Decimals of a second that the unit needs: 3 for milliseconds, none for minutes; 6 where they never end.
int decimals_of(std::int64_t den) noexcept {
  std::int64_t power = 1;
  for (int digits = 0; digits <= 9; ++digits, power *= 10) {
    if (power % den == 0) return digits;
  }
  return den % 10 == 0 ? 9 : 6;
}

template <std::integral Count>
int default_decimals(Count, std::int64_t den) noexcept {
  return decimals_of(den);
}
template <std::floating_point Count>
int default_decimals(Count, std::int64_t den) noexcept {
  return den == 1 ? 6 : decimals_of(den);
}

template <std::integral Count>
void append_count(OutputBuffer& out, Count count, const FormatSpec*) {
  append_integer(out, count, nullptr);
}

template <std::floating_point Count>
void append_count(OutputBuffer& out, Count count, const FormatSpec* spec) {
  if (spec == nullptr || spec->precision < 0) return append_floating(out, count, nullptr);
  FormatSpec rounded;
  rounded.precision = spec->precision;
  rounded.type = 'f';
  append_floating(out, count, &rounded);
}

void append_magnitude(OutputBuffer& out, std::uint64_t count) { append_integer(out, count, nullptr); }
template <std::floating_point Count>
void append_magnitude(OutputBuffer& out, Count count) {
  append_floating(out, count, nullptr);
}

template <typename Count>
class PatternWriter {
 public:
  PatternWriter(OutputBuffer& out, Count count, std::int64_t num, std::int64_t den, std::string_view pattern)
      : out_(out), count_(count), num_(num), den_(den), parts_(parts_of(count, num, den)) {
    decimals_ = default_decimals(count, den);
    for (std::size_t at = 0; (at = pattern.find('%', at)) != std::string_view::npos;) {
      const std::size_t size = detail::time_conversion_size(pattern.substr(at), FormatClass::duration);
      if (size == 3) decimals_ = 0;  // the pattern has the fraction elsewhere
      if (size == 2 && pattern[at + 1] == 'j') shows_days_ = true;
      at += size == 0 ? 1 : size;
    }
    minus_due_ = count < 0;
  }

  /// Whether the duration is one that hours and minutes can tell.
  [[nodiscard]] bool possible() const noexcept { return !parts_.overflow; }

  void write(std::string_view pattern) {
    while (!pattern.empty()) {
      const std::size_t percent = pattern.find('%');
      if (percent == std::string_view::npos) return out_.append(pattern);
      out_.append(pattern.substr(0, percent));
      pattern.remove_prefix(percent);
      const std::size_t size = detail::time_conversion_size(pattern, FormatClass::duration);
      if (size == 0) {
        out_.append('%');
        pattern.remove_prefix(1);
        continue;
      }
      size == 3 ? fraction(pattern[1] - '0') : conversion(pattern[1]);
      pattern.remove_prefix(size);
    }
  }

 private:
  void minus() {
    if (minus_due_) out_.append('-');
    minus_due_ = false;
  }

  void number(std::uint64_t value, int width) {
    minus();
    append_digits(out_, value, width);
  }

  void fraction(int digits) {
    minus();
    put_fraction(out_.prepare(static_cast<std::size_t>(digits)), parts_.nanoseconds, digits);
    out_.commit(static_cast<std::size_t>(digits));
  }

  void seconds() {
    number(parts_.seconds % 60, 2);
    if (decimals_ == 0) return;
    out_.append('.');
    fraction(decimals_);
  }

  void conversion(char c) {
    const std::uint64_t hours = parts_.seconds / 3600;
    switch (c) {
      case 'H': return number(shows_days_ ? hours % 24 : hours, 2);
      case 'I': return number(static_cast<std::uint64_t>(twelve_hour(static_cast<std::int64_t>(hours % 24))), 2);
      case 'M': return number(parts_.seconds / 60 % 60, 2);
      case 'S': return seconds();
      case 'p': return out_.append(hours % 24 < 12 ? "AM" : "PM");
      case 'j': return number(hours / 24, 1);
      case 'T': return write("%H:%M:%S");
      case 'R': return write("%H:%M");
      case 'r': return write("%I:%M:%S %p");
      case 'Q': minus(); return append_magnitude(out_, magnitude(count_));
      case 'q': return append_duration_unit(out_, num_, den_);
      case 'n': return out_.append('\n');
      case 't': return out_.append('\t');
      default: return out_.append('%');
    }
  }

  OutputBuffer& out_;
  const Count count_;
  const std::int64_t num_, den_;
  const Parts parts_;
  int decimals_;
  bool shows_days_ = false;
  bool minus_due_;
};

template <typename Count>
void append_any_duration(OutputBuffer& out, Count count, std::int64_t num, std::int64_t den, const FormatSpec* spec) {
  const std::size_t from = out.size();
  const std::string_view pattern = spec == nullptr ? std::string_view{} : spec->time_pattern;
  PatternWriter<Count> writer(out, count, num, den, pattern);
  if (!pattern.empty() && writer.possible()) {
    writer.write(pattern);
  } else {
    append_count(out, count, spec);
    append_duration_unit(out, num, den);
  }
  if (spec != nullptr && !spec->unpadded()) pad(out, from, spec->width, spec->align, spec->fill_text());
}

}  // namespace

void append_duration_unit(OutputBuffer& out, std::int64_t num, std::int64_t den) {
  for (const Unit& unit : units) {
    if (unit.num == num && unit.den == den) return out.append(unit.name);
  }
  out.append('[');
  out.append_number(num);
  if (den != 1) {
    out.append('/');
    out.append_number(den);
  }
  out.append("]s");
}

void append_duration(OutputBuffer& out, std::int64_t count, std::int64_t num, std::int64_t den,
                     const FormatSpec* spec) {
  append_any_duration(out, count, num, den, spec);
}

void append_duration(OutputBuffer& out, std::uint64_t count, std::int64_t num, std::int64_t den,
                     const FormatSpec* spec) {
  append_any_duration(out, count, num, den, spec);
}

void append_duration(OutputBuffer& out, float count, std::int64_t num, std::int64_t den, const FormatSpec* spec) {
  append_any_duration(out, count, num, den, spec);
}

void append_duration(OutputBuffer& out, double count, std::int64_t num, std::int64_t den, const FormatSpec* spec) {
  append_any_duration(out, count, num, den, spec);
}

}  // namespace cairn::format
