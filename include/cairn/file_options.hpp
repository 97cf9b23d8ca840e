// Everything a file sink can be told. An aggregate with defaults that are right: name only what differs.
//
//   config.write_to_file("logs/app.clef", {.rolling = cairn::Rolling::day, .max_file_bytes = 64 << 20});
//
// The order of the members is part of the interface. The values are checked by `create_logger()`, not here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "cairn/clef_options.hpp"
#include "cairn/rendering.hpp"
#include "cairn/time_zone.hpp"

namespace cairn {

/// `by_extension`: .clef, .json, .jsonl and .ndjson are CLEF, everything else is text.
enum class FileFormat : std::uint8_t { by_extension, text, clef };

/// When a new file is begun beside the limit of size. The name then carries the period: for `app.log`
/// `app-2026.log`, `app-202601.log`, `app-20260131.log`, `app-2026013117.log`, `app-202601311705.log`.
enum class Rolling : std::uint8_t { none, year, month, day, hour, minute };

/// `none`: the kernel has the bytes when a batch counts as written (they survive the process, not the machine).
/// `batch`: fdatasync follows every batch, which counts as written only after it. Not together with `buffered`, which
/// counts events that no disk has seen: `create_logger()` refuses the two.
enum class Durable : std::uint8_t { none, batch };

/// What becomes of a file that is rolled away from. `gzip` and `zstd` need the component of that name
/// (`cairn::use_gzip()`, `cairn::use_zstd()`); without it the option is a configuration error.
enum class Compress : std::uint8_t { none, gzip, zstd };

/// `error`: `create_logger()` fails if the file cannot be opened. `retry`: it succeeds, and the file is tried again,
/// each 250 ms at most, while there is something to write; events that come before it opens fail, or go to the
/// fallback.
enum class OnOpenFailure : std::uint8_t { error, retry };

struct FileOptions {
  FileFormat format = FileFormat::by_extension;
  /// The layout of a text line; empty for the default one. With CLEF, which has none, a configuration error.
  std::string output_template{};
  Rendering rendering = Rendering::literal;
  Rolling rolling = Rolling::none;
  /// A file that would grow past this many bytes is rolled: `app.log`, `app_001.log`, `app_002.log`, …. An event longer
  /// than this gets a file of its own, whole. 0: no limit.
  std::uint64_t max_file_bytes = std::uint64_t{1} << 30;
  /// How many files are kept, the one being written and compressed ones included; the oldest go first. Only files that
  /// the log made are counted or deleted (it keeps a list of them, `<path>.files`), whose names this path and this
  /// `rolling` produce. 0: no limit.
  std::size_t retain_files = 31;
  /// Files last written longer ago than this are deleted (at start and at each roll).
  std::optional<std::chrono::seconds> retain_age = std::nullopt;
  /// At start and at each roll the oldest files are deleted until all together hold no more than this many bytes; the
  /// one being written then adds up to `max_file_bytes`.
  std::optional<std::uint64_t> retain_bytes = std::nullopt;
  /// The file being written always has the path as given; on a roll it is renamed to the name of its period and number.
  bool keep_active_name = false;
  TimeZone time_zone = TimeZone::utc;
  /// Collects up to 256 KiB before a write. An event then counts as written when it is in the buffer; what cannot be
  /// written when the file is closed is counted as `buffered_events_lost`, and told. Not together with `durable` or
  /// `shared`.
  bool buffered = false;
  Durable durable = Durable::none;
  /// Several processes (with this option, all of them) may write to the path. Whole batches are appended under a lock
  /// on `<path>.lock`; nothing is ever cut off, so that a line which a full disk cut short stays, ended by a line feed.
  /// Without it a second process gets an error that names the holder's pid.
  bool shared = false;
  Compress compress = Compress::none;
  OnOpenFailure on_open_failure = OnOpenFailure::error;
  /// Permissions of files that are created, whatever the umask: up to 0777, with 0600 in it, since a file is also read
  /// when it is opened again; directories that must be created get 0750, whatever the umask too.
  unsigned mode = 0640;
  ClefOptions clef{};
  /// Write also to a folder that everyone may write to without a sticky bit, or that is below such a one: for volumes
  /// that are mounted so. There anybody may put another file in the log's place.
  bool trust_folder = false;
  /// Take every regular file that has a name of this log for the log's own when it is first opened, whoever made it:
  /// for files that were copied from elsewhere, and so are not in the list, or where inodes do not last. Without it
  /// they are left alone, their numbers are skipped, and `on_internal_error` is told of them. Those that were last
  /// written before what the log made itself under lower numbers are the first that retention deletes.
  bool adopt_files = false;
};

}  // namespace cairn
