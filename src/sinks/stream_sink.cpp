#include "sinks/stream_sink.hpp"

#include <cerrno>
#include <ios>
#include <ostream>

#include "platform/file_size_signal.hpp"
#include "platform/no_cancellation.hpp"

namespace cairn::detail {

BatchLines::BatchLines(const StreamOptions& options) : formatter_(ClefFormatter(options.clef)) {
  if (options.format == Format::text) {
    formatter_.emplace<TextFormatter>(
        options.output_template.empty() ? default_text_template : std::string_view(options.output_template),
        options.rendering, options.time_zone);
  }
}

void BatchLines::format(std::span<const Event> events) {
  lines_.clear();
  ends_.clear();
  std::visit(
      [&](auto& formatter) {
        for (const Event& event : events) {
          formatter.format(event, lines_);
          ends_.push_back(lines_.size());
        }
      },
      formatter_);
}

namespace {

/// Takes away what a write sent to the calling thread, however the stream is left: what it writes to is not known, and
/// it may keep to itself that it failed.
class StreamShield {
 public:
  StreamShield() noexcept { errno = 0; }
  StreamShield(const StreamShield&) = delete;
  StreamShield& operator=(const StreamShield&) = delete;
  ~StreamShield() { shield_.take_back(errno); }

 private:
  const NoCancellation uncancelled_;
  WriteShield shield_{true};
};

/// Runs `use`; true if the stream is well afterwards. A stream may be set to throw: that is an error like any other.
template <class Use>
bool stays_good(std::ostream& stream, Use&& use) {
  const StreamShield shield;
  try {
    use();
  } catch (const std::ios_base::failure&) {
    return false;
  }
  return stream.good();
}

}  // namespace

StreamSink::StreamSink(std::ostream& stream, const StreamOptions& options) : stream_(stream), lines_(options) {
  watch_file_size_signal();
}

EmitResult StreamSink::emit(std::span<const Event> events) {
  lines_.format(events);
  const std::string_view text = lines_.text();
  const bool good = stays_good(stream_, [&] {
    stream_.write(text.data(), static_cast<std::streamsize>(text.size()));
    stream_.flush();
  });
  if (!good) return {0, 0, std::make_error_code(std::io_errc::stream)};
  return EmitResult::all(events, text.size());
}

std::error_code StreamSink::flush(std::chrono::steady_clock::time_point deadline) {
  (void)deadline;  // a stream cannot be told when to give up
  if (stays_good(stream_, [&] { stream_.flush(); })) return {};
  return std::make_error_code(std::io_errc::stream);
}

DescriptorSink::DescriptorSink(int fd, const StreamOptions& options, FileOps& ops)
    : writer_(fd, ops), lines_(options) {}

EmitResult DescriptorSink::emit(std::span<const Event> events) {
  lines_.format(events);
  const LinesWritten written = writer_.write(lines_.text(), lines_.ends());
  return {written.events, written.bytes, written.error};
}

}  // namespace cairn::detail
