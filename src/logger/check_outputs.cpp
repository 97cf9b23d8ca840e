#include "logger/check_outputs.hpp"

#include <fcntl.h>

#include <fmt/format.h>
#include <limits.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "cairn/detail/compressor.hpp"
#include "format/text_formatter.hpp"
#include "logger/logger_state.hpp"
#include "sinks/file_sink.hpp"

namespace cairn::detail {

namespace {

std::string octal(unsigned value) {
  std::string digits;
  do digits.insert(digits.begin(), static_cast<char>('0' + value % 8));
  while ((value /= 8) != 0);
  return "0" + digits;
}

/// The ending of `path`, if it is one that Cairn adds to the names of files.
std::string_view own_ending(std::string_view path) {
  for (const std::string_view ending : {compressed_extension(Compress::gzip), compressed_extension(Compress::zstd),
                                        lock_extension, list_extension, new_list_extension, compressing_extension}) {
    if (path.ends_with(ending)) return ending;
  }
  return {};
}

constexpr std::string_view formats[] = {"text", "clef"};
constexpr std::string_view renderings[] = {"literal", "classic"};
constexpr std::string_view zones[] = {"utc", "local"};

}  // namespace

void OutputChecker::add(const SinkPlan& plan, const std::string& problem) {
  problems_.push_back("sink " + plan.name + ": " + problem);
}

template <class Enum, std::size_t N>
void OutputChecker::choice(const SinkPlan& plan, std::string_view option, Enum value,
                           const std::string_view (&names)[N]) {
  if (static_cast<std::size_t>(value) < N) return;
  std::string taken(names[0]);
  for (std::size_t i = 1; i < N; ++i) {
    taken += i + 1 == N ? " or " : ", ";
    taken += names[i];
  }
  add(plan, std::string(option) + ": " + std::to_string(static_cast<unsigned>(value)) + "; it takes " + taken);
}

void OutputChecker::layout(const SinkPlan& plan, const std::string& output_template, bool clef,
                           std::string_view why_clef) {
  if (output_template.empty()) return;
  if (clef) {
    add(plan, "output_template: \"" + output_template + "\" has no effect on CLEF, which is written because of " +
                  std::string(why_clef) + "; leave it out, or set format to text");
  }
  for (const std::string& problem : output_template_errors(output_template)) add(plan, "output_template: " + problem);
}

void OutputChecker::check(const SinkPlan& plan) {
  std::visit([&](const auto& output) { check(plan, output); }, plan.what);
}

void OutputChecker::check(const SinkPlan& plan, const ConsolePlan& console) {
  const ConsoleOptions& o = console.options;
  layout(plan, o.output_template, o.format == Format::clef, "format");
  choice(plan, "format", o.format, formats);
  choice(plan, "theme", o.theme, {"literate", "code", "grayscale", "ansi", "none"});
  choice(plan, "colour", o.colour, {"automatic", "always", "never"});
  if (o.stderr_from && *o.stderr_from > Level::fatal) {
    add(plan, "stderr_from: " + std::to_string(static_cast<unsigned>(*o.stderr_from)) +
                  " is no level; it takes verbose (0) to fatal (5)");
  }
  choice(plan, "rendering", o.rendering, renderings);
  choice(plan, "time_zone", o.time_zone, zones);
}

void OutputChecker::check(const SinkPlan& plan, const StreamPlan& stream) {
  const StreamOptions& o = stream.options;
  layout(plan, o.output_template, o.format == Format::clef, "format");
  choice(plan, "format", o.format, formats);
  choice(plan, "rendering", o.rendering, renderings);
  choice(plan, "time_zone", o.time_zone, zones);
  if (stream.stream != nullptr) {
    if (!objects_.insert(stream.stream).second)
      add(plan, "the same stream is given twice; two threads would write to it at once, so it takes one place");
    return;
  }
  const std::string fd = std::to_string(stream.descriptor);
  const int flags = ::fcntl(stream.descriptor, F_GETFL);
  if (stream.descriptor < 0) {
    add(plan, "the descriptor is " + fd + "; it takes an open one, 0 or above");
  } else if (flags < 0) {
    add(plan, "the descriptor " + fd + " is not open; it takes one that is open for writing");
  } else if ((flags & O_ACCMODE) == O_RDONLY) {
    add(plan, "the descriptor " + fd + " is open for reading only; it takes one that is open for writing");
  }
}

void OutputChecker::check(const SinkPlan& plan, const CallbackPlan& callback) {
  if (!callback.callback) add(plan, "the callback is empty; it takes a function");
}

void OutputChecker::check(const SinkPlan& plan, const SharedPlan& shared) {
  if (shared.sink == nullptr) {
    add(plan, "the sink is null; it takes an object");
  } else if (!objects_.insert(shared.sink.get()).second) {
    add(plan, "the same sink object is given twice; calls on a sink never overlap, so it takes one place");
  }
}

void OutputChecker::check(const SinkPlan& plan, const LoggerPlan& logger) {
  const Root* root = LoggerAccess::state(logger.target)->root;
  if (root == nullptr) {
    add(plan, "the target logger is a silent one (default-made); it takes one that create_logger() gave");
  } else if (root->closed()) {
    add(plan, "the target logger was closed; it takes one that is open");
  }
}

void OutputChecker::check(const SinkPlan& plan, const FilePlan& file) {
  const FileOptions& o = file.options;
  path(plan, file);
  layout(plan, o.output_template, writes_clef(file.path, o.format),
         o.format == FileFormat::clef ? "format" : "the file's name");
  choice(plan, "format", o.format, {"by_extension", "text", "clef"});
  choice(plan, "rendering", o.rendering, renderings);
  choice(plan, "rolling", o.rolling, {"none", "year", "month", "day", "hour", "minute"});
  choice(plan, "time_zone", o.time_zone, zones);
  choice(plan, "durable", o.durable, {"none", "batch"});
  choice(plan, "compress", o.compress, {"none", "gzip", "zstd"});
  choice(plan, "on_open_failure", o.on_open_failure, {"error", "retry"});
  if (o.mode > 0777)
    add(plan,
        "mode: " + octal(o.mode) + " is more than permissions; it takes permissions up to 0777 (0640 by default)");
  if ((o.mode & 0600U) != 0600U)
    add(plan, "mode: " + octal(o.mode) + ": the owner may not " + ((o.mode & 0200U) == 0 ? "write" : "read") +
                  "; it takes permissions with 0600 set");
  if (o.retain_age && o.retain_age->count() <= 0)
    add(plan, "retain_age: " + std::to_string(o.retain_age->count()) + " s; it takes a time above 0");
  if (o.retain_bytes && *o.retain_bytes == 0)
    add(plan, "retain_bytes: 0; it takes at least 1 (leave it out for no limit)");
  if (o.shared && o.keep_active_name && o.buffered)
    add(plan, "shared with buffered and keep_active_name: another process may roll between; leave one out");
  if (o.shared && o.buffered)
    add(plan,
        "shared and buffered: lines of several processes must reach the file whole and in order; leave buffered out");
  if (o.durable == Durable::batch && o.buffered)
    add(plan, "durable = batch and buffered: an event cannot be on the disk and held back; leave one out");
  if ((o.compress == Compress::gzip || o.compress == Compress::zstd) && !compressor_available(o.compress)) {
    const std::string which = o.compress == Compress::gzip ? "gzip" : "zstd";
    add(plan, "compress = " + which + ": the component is not there; link cairn::" +
                  (which == "gzip" ? "zlib" : "zstd") + " and call cairn::use_" + which + "() first");
  }
}

void OutputChecker::path(const SinkPlan& plan, const FilePlan& file) {
  if (file.path.empty()) {
    add(plan, "the path is empty; it takes the name of a file");
  } else if (file.path.find('\0') != std::string::npos) {
    add(plan, "the path " + file.path + " holds a NUL character; no file has one in its name");
  } else if (file.path.back() == '/') {
    add(plan, "the path " + file.path + " names a folder; it takes the name of a file");
  } else if (const std::string_view ending = own_ending(file.path); !ending.empty()) {
    add(plan,
        fmt::format("the path {} ends in {}, which marks what Cairn makes of a log or keeps beside it; it takes a name "
                    "that ends in none of .gz, .zst, .lock, .files, .files.new and .files.compressing",
                    file.path, ending));
  } else {
    std::error_code ignored;
    const auto path = std::filesystem::weakly_canonical(std::filesystem::absolute(file.path, ignored), ignored);
    const std::string name = path.filename().string();
    const FileOptions& o = file.options;
    const Rolling rolling = o.rolling <= Rolling::minute ? o.rolling : Rolling::none;
    // Behind it there must be room for a period, a number and the ending of a compressed file, or for the longest
    // other.
    constexpr std::size_t longest = NAME_MAX - std::string_view("-202601311705_999999999.zst").size();
    if (name.size() > longest && (rolling != Rolling::none || o.max_file_bytes != 0))
      add(plan, fmt::format(
                    "the name {} has {} bytes; a log that rolls takes {} at most, so that a period and a number fit in",
                    name, name.size(), longest));
    FileNames names(name, rolling, o.keep_active_name);
    std::vector<std::string> written{names.active_name({}), names.name({0, names.first_number()}), names.name({0, 1})};
    logs_.push_back(
        {plan.name, path.string(), path.parent_path().string(), name, std::move(names), std::move(written)});
  }
}

void OutputChecker::check_together() {
  std::map<std::string, std::vector<std::string>> writers;
  for (const Log& log : logs_) writers[log.path].push_back(log.sink);
  for (const auto& [path, sinks] : writers) {
    if (sinks.size() < 2) continue;
    std::string who = sinks.front();
    for (std::size_t i = 1; i < sinks.size(); ++i) who += " and " + sinks[i];
    problems_.push_back(fmt::format("two sinks on one path: {} is written by {}; one file takes one sink", path, who));
  }
  for (std::size_t i = 0; i < logs_.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      const Log& one = logs_[k];
      const Log& two = logs_[i];
      if (one.folder == two.folder && one.file != two.file && !rolled_names(one, two)) (void)rolled_names(two, one);
    }
  }
}

/// Says so if `other` writes a file that `rolling` takes for one of its own: it would append to it, and delete it in
/// time.
bool OutputChecker::rolled_names(const Log& rolling, const Log& other) {
  for (const std::string& name : other.written) {
    if (!rolling.names.parse(name)) continue;
    problems_.push_back("two sinks on one file: " + name + " is written by " + other.sink +
                        ", and is the name of a rolled file of " + rolling.sink +
                        "; give one of them a name or a folder of its own");
    return true;
  }
  return false;
}

}  // namespace cairn::detail
