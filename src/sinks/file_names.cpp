#include "sinks/file_names.hpp"

#include <charconv>
#include <ctime>

namespace cairn::detail {

namespace {

std::size_t digits_of(Rolling rolling) noexcept {
  switch (rolling) {
    case Rolling::none: return 0;
    case Rolling::year: return 4;
    case Rolling::month: return 6;
    case Rolling::day: return 8;
    case Rolling::hour: return 10;
    case Rolling::minute: return 12;
  }
  return 0;
}

/// Takes the number that `text` consists of; nothing if there is any other character in it.
template <class Number>
std::optional<Number> number_of(std::string_view text) noexcept {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.front() == '-') return std::nullopt;
  return value;
}

bool take_suffix(std::string_view& text, std::string_view suffix) noexcept {
  if (suffix.empty() || !text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

}  // namespace

std::uint64_t Periods::of(Timestamp moment) noexcept {
  if (rolling_ == Rolling::none) return 0;
  using namespace std::chrono;
  // No zone changes its offset, and no period begins, inside a minute of UTC.
  const std::int64_t minute = floor<minutes>(moment).time_since_epoch().count();
  if (minute == minute_) return period_;
  std::time_t seconds = minute * 60;
  std::tm parts{};
  if ((zone_ == TimeZone::utc ? ::gmtime_r(&seconds, &parts) : ::localtime_r(&seconds, &parts)) == nullptr)
    return period_;
  const auto part = [](int value) { return static_cast<std::uint64_t>(value < 0 ? 0 : value); };
  std::uint64_t period = part(parts.tm_year + 1900);
  if (rolling_ >= Rolling::month) period = period * 100 + part(parts.tm_mon + 1);
  if (rolling_ >= Rolling::day) period = period * 100 + part(parts.tm_mday);
  if (rolling_ >= Rolling::hour) period = period * 100 + part(parts.tm_hour);
  if (rolling_ >= Rolling::minute) period = period * 100 + part(parts.tm_min);
  minute_ = minute;
  period_ = period;
  return period;
}

FileNames::FileNames(std::string_view file_name, Rolling rolling, bool keep_active_name)
    : rolling_(rolling), keep_active_name_(keep_active_name) {
  const std::size_t dot = file_name.rfind('.');
  const bool has_extension = dot != std::string_view::npos && dot != 0;
  stem_ = file_name.substr(0, has_extension ? dot : file_name.size());
  extension_ = has_extension ? file_name.substr(dot) : std::string_view{};
}

std::string FileNames::name(FileId id) const {
  std::string result = stem_;
  const auto add = [&result](char lead, std::uint64_t value, std::size_t width) {
    const std::string digits = std::to_string(value);
    result += lead;
    if (digits.size() < width) result.append(width - digits.size(), '0');
    result += digits;
  };
  if (rolling_ != Rolling::none) add('-', id.period, digits_of(rolling_));
  if (id.number != 0) add('_', id.number, 3);
  return result + extension_;
}

std::optional<FileNames::Match> FileNames::parse(std::string_view name) const {
  Match match;
  for (const Compress kind : {Compress::gzip, Compress::zstd})
    if (match.compressed == Compress::none && take_suffix(name, compressed_extension(kind))) match.compressed = kind;
  if (keep_active_name_ && match.compressed == Compress::none && name == stem_ + extension_) {
    match.active = true;
    return match;
  }
  if (!name.starts_with(stem_) || name.size() < stem_.size() + extension_.size()) return std::nullopt;
  if (!name.ends_with(extension_)) return std::nullopt;
  std::string_view middle = name.substr(stem_.size(), name.size() - stem_.size() - extension_.size());
  if (rolling_ != Rolling::none) {
    const std::size_t digits = digits_of(rolling_);
    if (middle.size() < digits + 1 || middle.front() != '-') return std::nullopt;
    const auto period = number_of<std::uint64_t>(middle.substr(1, digits));
    if (!period) return std::nullopt;
    match.id.period = *period;
    middle.remove_prefix(digits + 1);
  }
  if (!middle.empty()) {
    if (middle.front() != '_' || middle.size() < 4) return std::nullopt;
    const auto number = number_of<std::uint32_t>(middle.substr(1));
    if (!number || *number > highest_number) return std::nullopt;
    match.id.number = *number;
  }
  if (match.id.number < first_number()) return std::nullopt;
  // The way back decides: no other spelling of the same number is ours to touch.
  std::string expected = this->name(match.id);
  return name == expected ? std::optional(match) : std::nullopt;
}

std::string_view compressed_extension(Compress kind) noexcept {
  switch (kind) {
    case Compress::none: break;
    case Compress::gzip: return ".gz";
    case Compress::zstd: return ".zst";
  }
  return {};
}

}  // namespace cairn::detail
