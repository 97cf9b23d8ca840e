// What the files of one log are called and in which order they come. Pure: no file system here, only names and times.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "cairn/clock.hpp"
#include "cairn/file_options.hpp"

namespace cairn::detail {

/// Which file of a log: its period as the digits of its name (20260131 for a day, 0 where nothing rolls by time) and
/// its number within the period (0 for the one without a number). Ordered as the files were written.
struct FileId {
  std::uint64_t period = 0;
  std::uint32_t number = 0;
  auto operator<=>(const FileId&) const = default;
};

/// Tells the period of a moment. Keeps the last minute it looked at, so that it costs a division an event.
class Periods {
 public:
  Periods(Rolling rolling, TimeZone zone) noexcept : rolling_(rolling), zone_(zone) {}
  /// The digits of the period's name; 0 with Rolling::none. In local time not always ascending (summer time ends).
  [[nodiscard]] std::uint64_t of(Timestamp moment) noexcept;

 private:
  Rolling rolling_;
  TimeZone zone_;
  std::int64_t minute_ = std::numeric_limits<std::int64_t>::min();
  std::uint64_t period_ = 0;
};

/// The names of one log: `app.log` gives `app[-period][_number].log`.
class FileNames {
 public:
  /// `file_name` is the last part of the path.
  FileNames(std::string_view file_name, Rolling rolling, bool keep_active_name);

  static constexpr std::uint32_t highest_number = 999'999'999;

  struct Match {
    FileId id{};
    bool active = false;  ///< The name as given, with keep_active_name.
    Compress compressed = Compress::none;
  };

  /// The name of a file, by its period and number.
  [[nodiscard]] std::string name(FileId id) const;
  /// The name under which that file is written: with keep_active_name always the one given.
  [[nodiscard]] std::string active_name(FileId id) const { return keep_active_name_ ? given_name() : name(id); }
  /// Reads a name back. Nothing unless it is, to the letter, one that name() or a compression of it gives.
  [[nodiscard]] std::optional<Match> parse(std::string_view name) const;
  /// The last part of the log's path: whatever has this name is the log's, as the user said so.
  [[nodiscard]] std::string given_name() const { return stem_ + extension_; }
  [[nodiscard]] bool keeps_active_name() const noexcept { return keep_active_name_; }
  /// The lowest number a file of a period can have: with keep_active_name and no periods, 0 is the active name.
  [[nodiscard]] std::uint32_t first_number() const noexcept {
    return keep_active_name_ && rolling_ == Rolling::none ? 1 : 0;
  }

 private:
  std::string stem_;
  std::string extension_;
  Rolling rolling_;
  bool keep_active_name_;
};

/// ".gz", ".zst" or nothing.
[[nodiscard]] std::string_view compressed_extension(Compress kind) noexcept;
/// What the lock of a log ends with.
inline constexpr std::string_view lock_extension = ".lock";
/// What the list of the files that a log made ends with (own_files.hpp). Names that begin with the list's are the log's
/// as well: what they hold is not done yet.
inline constexpr std::string_view list_extension = ".files";
inline constexpr std::string_view new_list_extension = ".files.new";
inline constexpr std::string_view compressing_extension = ".files.compressing";

}  // namespace cairn::detail
