// Interprets patterns once a second, and copies what that gave until the second is over.
#include "text/time_format.hpp"

#include <chrono>
#include <cstring>
#include <ctime>
#include <utility>

#include "cairn/detail/format_spec.hpp"
#include "text/time_digits.hpp"

namespace cairn::format {

using detail::FormatClass;
using detail::time_conversion_size;

namespace {

constexpr std::int64_t day_seconds = 86400;

constexpr std::int64_t floor_div(std::int64_t value, std::int64_t by) noexcept {
  return value / by - (value % by < 0 ? 1 : 0);
}

Moment split(Timestamp time) noexcept {
  const std::int64_t count = time.time_since_epoch().count();
  const std::int64_t second = floor_div(count, 1'000'000'000);
  // Modulo 2^64, since the smallest time's second begins before what 64 bits of nanoseconds can say.
  const auto rest = static_cast<std::uint64_t>(count) - static_cast<std::uint64_t>(second) * 1'000'000'000u;
  return {second, static_cast<std::uint32_t>(rest)};
}

// The same, where it is probably `likely`'s second: then there is nothing to divide.
Moment split_near(Timestamp time, std::int64_t likely) noexcept {
  const auto count = static_cast<std::uint64_t>(time.time_since_epoch().count());
  const std::uint64_t rest = count - static_cast<std::uint64_t>(likely) * 1'000'000'000u;
  // No real second is that far out: there the product would wrap, and could land anywhere.
  constexpr std::int64_t furthest = 10'000'000'000;
  if (rest < 1'000'000'000u && likely > -furthest && likely < furthest)
    return {likely, static_cast<std::uint32_t>(rest)};
  return split(time);
}

struct Civil {
  int year;
  unsigned month;  // 1 to 12
  unsigned day;    // 1 to 31
  int year_day;    // 0 to 365
  int weekday;     // 0 Sunday
  int hour, minute, second;
};

Civil civil_of(std::int64_t local_second) noexcept {
  const std::int64_t days = floor_div(local_second, day_seconds);
  const auto in_day = static_cast<int>(local_second - days * day_seconds);
  const std::chrono::sys_days day{std::chrono::days{days}};
  const std::chrono::year_month_day date{day};
  const std::chrono::sys_days new_year{date.year() / std::chrono::January / 1};
  return {.year = static_cast<int>(date.year()),
          .month = static_cast<unsigned>(date.month()),
          .day = static_cast<unsigned>(date.day()),
          .year_day = static_cast<int>((day - new_year).count()),
          .weekday = static_cast<int>(std::chrono::weekday{day}.c_encoding()),
          .hour = in_day / 3600,
          .minute = in_day / 60 % 60,
          .second = in_day % 60};
}

struct IsoWeek {
  int year;
  int week;  // 1 to 53
};

constexpr bool is_leap(int year) noexcept { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

// A week belongs to the year that has its Thursday.
IsoWeek iso_week_of(const Civil& civil) noexcept {
  const int thursday = civil.year_day - (civil.weekday + 6) % 7 + 3;
  if (thursday < 0) {
    const int days_before = is_leap(civil.year - 1) ? 366 : 365;
    return {civil.year - 1, (thursday + days_before) / 7 + 1};
  }
  const int days = is_leap(civil.year) ? 366 : 365;
  return thursday >= days ? IsoWeek{civil.year + 1, 1} : IsoWeek{civil.year, thursday / 7 + 1};
}

constexpr std::string_view weekday_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                              "Thursday", "Friday", "Saturday"};
constexpr std::string_view month_names[] = {"January", "February", "March",     "April",   "May",      "June",
                                            "July",    "August",   "September", "October", "November", "December"};

}  // namespace

// Writes one time by one pattern; `fractions`, where there is one, learns where fractions of the second stand.
struct TimeWriter {
  OutputBuffer& out;
  const Civil civil;
  const Moment moment;
  const std::int64_t offset;
  const std::string_view zone_name;
  std::vector<TimeFormat::Fraction>* const fractions;
  const std::size_t begin = out.size();

  void number(std::int64_t value, int width) { append_digits(out, static_cast<std::uint64_t>(value), width); }

  /// Years before the first have a sign.
  void year(std::int64_t value, int width) {
    if (value < 0) out.append('-');
    number(value < 0 ? -value : value, width);
  }

  void padded_day() {
    if (civil.day < 10) out.append(' ');
    out.append_number(static_cast<int>(civil.day));
  }

  void zone_offset() {
    out.append(offset < 0 ? '-' : '+');
    const std::int64_t minutes = (offset < 0 ? -offset : offset) / 60;
    number(minutes / 60, 2);
    number(minutes % 60, 2);
  }

  void fraction(int digits) {
    if (fractions != nullptr) fractions->push_back({out.size() - begin, digits});
    put_fraction(out.prepare(static_cast<std::size_t>(digits)), moment.nanoseconds, digits);
    out.commit(static_cast<std::size_t>(digits));
  }

  void pattern(std::string_view text) {
    while (!text.empty()) {
      const std::size_t percent = text.find('%');
      if (percent == std::string_view::npos) return out.append(text);
      out.append(text.substr(0, percent));
      text.remove_prefix(percent);
      const std::size_t size = time_conversion_size(text, FormatClass::time_point);
      if (size == 0) {  // not ours: it stays as it is
        out.append('%');
        text.remove_prefix(1);
        continue;
      }
      size == 3 ? fraction(text[1] - '0') : conversion(text[1]);
      text.remove_prefix(size);
    }
  }

  void conversion(char c) {
    switch (c) {
      case 'Y': return year(civil.year, 4);
      case 'C': return year(floor_div(civil.year, 100), 2);
      case 'y': return number(civil.year - floor_div(civil.year, 100) * 100, 2);
      case 'm': return number(civil.month, 2);
      case 'd': return number(civil.day, 2);
      case 'e': return padded_day();
      case 'H': return number(civil.hour, 2);
      case 'I': return number(twelve_hour(civil.hour), 2);
      case 'M': return number(civil.minute, 2);
      case 'S': return number(civil.second, 2);
      case 'p': return out.append(civil.hour < 12 ? "AM" : "PM");
      case 'j': return number(civil.year_day + 1, 3);
      case 'a': return out.append(weekday_names[civil.weekday].substr(0, 3));
      case 'A': return out.append(weekday_names[civil.weekday]);
      case 'b':
      case 'h': return out.append(month_names[civil.month - 1].substr(0, 3));
      case 'B': return out.append(month_names[civil.month - 1]);
      case 'u': return number(civil.weekday == 0 ? 7 : civil.weekday, 1);
      case 'w': return number(civil.weekday, 1);
      case 'U': return number((civil.year_day + 7 - civil.weekday) / 7, 2);
      case 'W': return number((civil.year_day + 7 - (civil.weekday + 6) % 7) / 7, 2);
      case 'V': return number(iso_week_of(civil).week, 2);
      case 'G': return year(iso_week_of(civil).year, 4);
      case 'g': return number(iso_week_of(civil).year - floor_div(iso_week_of(civil).year, 100) * 100, 2);
      case 'F': return pattern("%Y-%m-%d");
      case 'D':
      case 'x': return pattern("%m/%d/%y");
      case 'T':
      case 'X': return pattern("%H:%M:%S");
      case 'R': return pattern("%H:%M");
      case 'r': return pattern("%I:%M:%S %p");
      case 'c': return pattern("%a %b %e %H:%M:%S %Y");
      case 's': return out.append_number(moment.second);
      case 'z': return zone_offset();
      case 'Z': return out.append(zone_name);
      case 'n': return out.append('\n');
      case 't': return out.append('\t');
      default: return out.append('%');
    }
  }
};

void LocalOffset::find(std::int64_t utc_seconds) {
  if (utc_seconds >= from_ && utc_seconds < to_) return;
  struct Answer {
    std::int64_t seconds;
    std::string name;
    bool operator==(const Answer&) const = default;
  };
  const auto ask = [](std::int64_t second) -> Answer {
    const std::time_t time = second;
    std::tm local{};
    if (::localtime_r(&time, &local) == nullptr) return {0, "UTC"};
    if (is_in_calendar({second}) && !is_in_calendar({second + local.tm_gmtoff})) return {0, "UTC"};  // at its ends
    return {local.tm_gmtoff, local.tm_zone == nullptr ? "" : local.tm_zone};
  };
  Answer answer = ask(utc_seconds);
  const std::int64_t quarter = floor_div(utc_seconds, 900) * 900;
  // One zone has never changed twice within a quarter: the same at both ends is the same throughout.
  const bool steady = ask(quarter) == answer && ask(quarter + 899) == answer;
  from_ = steady ? quarter : utc_seconds;
  to_ = steady ? quarter + 900 : utc_seconds + 1;
  seconds_ = answer.seconds;
  name_ = std::move(answer.name);
}

void TimeFormat::render(OutputBuffer& out, std::int64_t second, TimeZone zone) {
  if (zone == TimeZone::local) offset_.find(second);
  const std::int64_t offset = zone == TimeZone::local ? offset_.seconds() : 0;
  const std::string_view name = zone == TimeZone::local ? std::string_view(offset_.name()) : "UTC";
  second_ = std::numeric_limits<std::int64_t>::min();  // should memory run out, the cache is empty, not half made
  fractions_.clear();
  const std::size_t from = out.size();
  TimeWriter{out, civil_of(second + offset), {second, 0}, offset, name, &fractions_}.pattern(pattern_);
  text_ = out.view_from(from);
  out.truncate(from);
  second_ = second;
  zone_ = zone;
}

void TimeFormat::append(OutputBuffer& out, Timestamp time, TimeZone zone) {
  const Moment moment = split_near(time, second_);
  if (moment.second != second_ || zone != zone_) render(out, moment.second, zone);
  const std::size_t from = out.size();
  out.append(text_);
  for (const Fraction& each : fractions_)
    put_fraction(out.data() + from + each.position, moment.nanoseconds, each.digits);
}

void append_time(OutputBuffer& out, Timestamp time, std::string_view pattern, TimeZone zone) {
  append_time(out, split(time), pattern, zone);
}

bool is_in_calendar(Moment moment) noexcept {
  using namespace std::chrono;
  constexpr std::int64_t first = sys_seconds(sys_days(year::min() / January / 1)).time_since_epoch().count();
  constexpr std::int64_t last = sys_seconds(sys_days(year::max() / December / 31)).time_since_epoch().count();
  return moment.second >= first && moment.second < last + day_seconds;
}

void append_time(OutputBuffer& out, Moment moment, std::string_view pattern, TimeZone zone) {
  LocalOffset local;
  if (zone == TimeZone::local) local.find(moment.second);
  const std::string_view name = zone == TimeZone::local ? std::string_view(local.name()) : "UTC";
  TimeWriter{out, civil_of(moment.second + local.seconds()), moment, local.seconds(), name, nullptr}.pattern(pattern);
}

std::vector<std::string> time_format_errors(std::string_view pattern) {
  std::vector<std::string> errors;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] != '%') continue;
    const std::size_t size = time_conversion_size(pattern.substr(at), FormatClass::time_point);
    if (size == 0) {
      const bool fraction = at + 1 < pattern.size() && pattern[at + 1] >= '0' && pattern[at + 1] <= '9';
      std::string message = "'";
      message.append(pattern.substr(at, fraction ? 3 : 2)).append("' at position ").append(std::to_string(at));
      message.append(" is not a conversion");
      if (fraction) message.append(" (fractions are %3f, %6f and %9f)");
      errors.push_back(std::move(message));
      continue;
    }
    at += size - 1;
  }
  return errors;
}

void append_iso_utc(OutputBuffer& out, Timestamp time, int decimals, IsoTimeCache& cache) {
  const Moment moment = split_near(time, cache.second);
  if (moment.second != cache.second) {
    const Civil civil = civil_of(moment.second);
    char* const to = cache.text;
    put_digits(to, static_cast<std::uint64_t>(civil.year), 4);
    to[4] = to[7] = '-';
    put_digits(to + 5, civil.month, 2);
    put_digits(to + 8, civil.day, 2);
    to[10] = 'T';
    put_digits(to + 11, static_cast<std::uint64_t>(civil.hour), 2);
    to[13] = to[16] = ':';
    put_digits(to + 14, static_cast<std::uint64_t>(civil.minute), 2);
    put_digits(to + 17, static_cast<std::uint64_t>(civil.second), 2);
    to[19] = '.';
    cache.second = moment.second;
  }
  constexpr std::size_t whole = sizeof cache.text;
  char* to = out.prepare(whole + 10);
  std::memcpy(to, cache.text, whole);
  std::size_t size = whole - 1;  // without the point
  if (decimals == 7) {           // CLEF's, of every event
    put_digits<7>(to + whole, moment.nanoseconds / 100);
    size = whole + 7;
  } else if (decimals > 0) {
    put_fraction(to + whole, moment.nanoseconds, decimals);
    size = whole + static_cast<std::size_t>(decimals);
  }
  to[size++] = 'Z';
  out.commit(size);
}

void append_iso_utc(OutputBuffer& out, Moment moment, int decimals) {
  const Civil civil = civil_of(moment.second);
  const auto number = [&](std::int64_t value, int width) {
    append_digits(out, static_cast<std::uint64_t>(value), width);
  };
  if (civil.year < 0 || civil.year > 9999) out.append(civil.year < 0 ? '-' : '+');
  number(civil.year < 0 ? -civil.year : civil.year, 4);
  for (const auto& [before, value] : {std::pair{'-', static_cast<int>(civil.month)},
                                      {'-', static_cast<int>(civil.day)},
                                      {'T', civil.hour},
                                      {':', civil.minute},
                                      {':', civil.second}}) {
    out.append(before);
    number(value, 2);
  }
  if (decimals > 0) {
    out.append('.');
    put_fraction(out.prepare(static_cast<std::size_t>(decimals)), moment.nanoseconds, decimals);
    out.commit(static_cast<std::size_t>(decimals));
  }
  out.append('Z');
}

void append_iso_utc(OutputBuffer& out, Timestamp time, int decimals) {
  IsoTimeCache cache;
  append_iso_utc(out, time, decimals, cache);
}

}  // namespace cairn::format
