// Times as text: by a strftime-like pattern, and in the one ISO form that CLEF uses.
//
//   TimeFormat clock("%H:%M:%S.%3f");
//   clock.append(out, event.timestamp(), TimeZone::local);        // 17:05:09.123
//   append_iso_utc(out, event.timestamp(), 7, cache);             // 2026-01-31T17:05:09.1234567Z
//
// Conversions: %Y %C %y %m %d %e %H %I %M %S %p %j %a %A %b %B %h %u %w %U %W %V %G %g %F %D %T %R %r %c %x %X %s %z
// %Z %n %t %%, and %3f %6f %9f for the fraction of the second, cut off, not rounded. Names are English, whatever the
// locale. In UTC `%Z` is `UTC`. What is not known stays in the output as it was written; time_format_errors() tells of
// it beforehand. Every Timestamp works, 1677 to 2262; a Moment, of the years that the calendar of C++ has, -32767 to
// 32767.
//
// A TimeFormat and an IsoTimeCache remember the last second and are for one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/clock.hpp"
#include "cairn/output_buffer.hpp"
#include "cairn/time_zone.hpp"

namespace cairn::format {

/// Everything that is wrong with a pattern: "'%Q' at position 4 is not a conversion".
[[nodiscard]] std::vector<std::string> time_format_errors(std::string_view pattern);

/// How far local time is ahead of UTC. Asks the system once per quarter of an hour, the finest grain at which zones
/// change their clocks today; a quarter with a change inside is asked for every second.
class LocalOffset {
 public:
  /// Makes `seconds()` and `name()` those in force at `utc_seconds`.
  void find(std::int64_t utc_seconds);
  [[nodiscard]] std::int64_t seconds() const noexcept { return seconds_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  std::int64_t from_ = 0, to_ = 0;  // what we know holds in [from_, to_)
  std::int64_t seconds_ = 0;
  std::string name_;
};

class TimeFormat {
 public:
  explicit TimeFormat(std::string_view pattern) : pattern_(pattern) {}

  void append(OutputBuffer& out, Timestamp time, TimeZone zone);
  [[nodiscard]] const std::string& pattern() const noexcept { return pattern_; }

 private:
  // Where in the remembered text the digits of a fraction stand.
  struct Fraction {
    std::size_t position;
    int digits;
  };
  friend struct TimeWriter;

  void render(OutputBuffer& out, std::int64_t second, TimeZone zone);

  std::string pattern_;
  LocalOffset offset_;
  std::int64_t second_ = std::numeric_limits<std::int64_t>::min();  // which second `text_` shows; no real one at first
  TimeZone zone_ = TimeZone::utc;
  std::string text_;
  std::vector<Fraction> fractions_;
};

struct Moment {
  std::int64_t second = 0;  // since 1970, rounded down
  std::uint32_t nanoseconds = 0;
};

/// Has it a year in UTC? None of what follows may be asked of one that has not.
[[nodiscard]] bool is_in_calendar(Moment moment) noexcept;

/// One time by one pattern, remembering nothing: for a value in an event, not for each event's own time.
void append_time(OutputBuffer& out, Moment moment, std::string_view pattern, TimeZone zone);
void append_time(OutputBuffer& out, Timestamp time, std::string_view pattern, TimeZone zone);

struct IsoTimeCache {
  std::int64_t second = std::numeric_limits<std::int64_t>::min();
  char text[20] = {};  // "2026-01-31T17:05:09."
};

/// ISO 8601 in UTC with 0 to 9 decimals, cut off, not rounded.
void append_iso_utc(OutputBuffer& out, Timestamp time, int decimals, IsoTimeCache& cache);
void append_iso_utc(OutputBuffer& out, Timestamp time, int decimals = 7);
/// A year without four digits has a sign: `+10000-01-01T00:00:00Z`, `-0044-03-15T…` (45 BC is -44).
void append_iso_utc(OutputBuffer& out, Moment moment, int decimals = 7);

}  // namespace cairn::format
