#include "sinks/file_sink.hpp"

namespace cairn::detail {

bool writes_clef(std::string_view path, FileFormat format) noexcept {
  if (format != FileFormat::by_extension) return format == FileFormat::clef;
  for (const std::string_view extension : {".clef", ".json", ".jsonl", ".ndjson"}) {
    if (path.ends_with(extension)) return true;
  }
  return false;
}

FileSink::FileSink(const std::string& path, const FileOptions& options, FileOps& ops, Clock& clock,
                   RollingFile::Report report)
    : formatter_(ClefFormatter(options.clef)), file_(path, options, ops, clock, std::move(report)) {
  if (!writes_clef(path, options.format)) {
    formatter_.emplace<TextFormatter>(
        options.output_template.empty() ? default_text_template : std::string_view(options.output_template),
        options.rendering, options.time_zone);
  }
  pass_notes();
}

EmitResult FileSink::emit(std::span<const Event> events) {
  const EmitResult result = std::visit(
      [&](auto& formatter) {
        OutputBuffer* const buffer = file_.buffer();
        return buffer != nullptr ? collect(formatter, events, *buffer) : write(formatter, events);
      },
      formatter_);
  pass_notes();
  return result;
}

template <class Formatter>
EmitResult FileSink::collect(Formatter& formatter, std::span<const Event> events, OutputBuffer& buffer) {
  EmitResult result;
  for (const Event& event : events) {
    const std::size_t before = buffer.size();
    formatter.format(event, buffer);
    const std::size_t length = buffer.size() - before;
    if (!file_.keep_unit(event.timestamp(), result.error)) break;
    ++result.emitted;
    result.bytes += length;
  }
  return result;
}

template <class Formatter>
EmitResult FileSink::write(Formatter& formatter, std::span<const Event> events) {
  lines_.clear();
  if (events.size() == 1) {  // the caller's own
    formatter.format(events.front(), lines_);
    const RollingFile::Unit unit{lines_.size(), events.front().timestamp()};
    const AppendResult appended = file_.append(lines_.view(), {&unit, 1});
    return {appended.units_written, appended.bytes, appended.error};
  }
  units_.clear();
  for (const Event& event : events) {
    formatter.format(event, lines_);
    units_.push_back({lines_.size(), event.timestamp()});
  }
  const AppendResult appended = file_.append(lines_.view(), units_);
  return {appended.units_written, appended.bytes, appended.error};
}

std::error_code FileSink::flush(std::chrono::steady_clock::time_point deadline) {
  (void)deadline;  // the kernel takes what it is given at once, or blocks: there is nothing to wait for here
  const std::error_code error = file_.flush();
  pass_notes();
  return error;
}

std::error_code FileSink::reopen() {
  const std::error_code error = file_.reopen();
  pass_notes();
  return error;
}

std::error_code FileSink::close() noexcept {
  const std::error_code error = file_.close();
  pass_notes();
  return error;
}

}  // namespace cairn::detail
