// Events as lines to a std::ostream or an open descriptor. Neither is owned: both must outlive the sink, and are never
// closed.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <variant>
#include <vector>

#include "cairn/console_options.hpp"
#include "cairn/sink.hpp"
#include "format/clef_formatter.hpp"
#include "format/text_formatter.hpp"
#include "platform/file_ops.hpp"
#include "sinks/descriptor_writer.hpp"

namespace cairn::detail {

/// A batch as lines, in a buffer that is kept.
class BatchLines {
 public:
  explicit BatchLines(const StreamOptions& options);
  void format(std::span<const Event> events);
  [[nodiscard]] std::string_view text() const noexcept { return lines_.view(); }
  /// Where the lines of each event end.
  [[nodiscard]] std::span<const std::size_t> ends() const noexcept { return ends_; }

 private:
  std::variant<ClefFormatter, TextFormatter> formatter_;
  OutputBuffer lines_;
  std::vector<std::size_t> ends_;
};

/// Flushes the stream after each batch. A stream that has failed is an error (std::io_errc::stream) until its owner
/// clears it; how much of a batch it took cannot be told, so none of it counts.
class StreamSink final : public Sink {
 public:
  explicit StreamSink(std::ostream& stream, const StreamOptions& options = {});
  EmitResult emit(std::span<const Event> events) override;
  std::error_code flush(std::chrono::steady_clock::time_point deadline) override;

 private:
  std::ostream& stream_;
  BatchLines lines_;
};

class DescriptorSink final : public Sink {
 public:
  explicit DescriptorSink(int fd, const StreamOptions& options = {}, FileOps& ops = system_file_ops());
  EmitResult emit(std::span<const Event> events) override;

 private:
  DescriptorWriter writer_;
  BatchLines lines_;
};

}  // namespace cairn::detail
