// Events as lines of a file: a formatter over a RollingFile.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "cairn/detail/buffering_sink.hpp"
#include "cairn/file_options.hpp"
#include "cairn/sink.hpp"
#include "format/clef_formatter.hpp"
#include "format/text_formatter.hpp"
#include "sinks/rolling_file.hpp"

namespace cairn::detail {

class FileSink final : public BufferingSink {
 public:
  /// Opens the file; see RollingFile. `ops` and `clock` must outlive this.
  FileSink(const std::string& path, const FileOptions& options, FileOps& ops, Clock& clock,
           RollingFile::Report report = {});
  EmitResult emit(std::span<const Event> events) override;
  std::error_code flush(std::chrono::steady_clock::time_point deadline) override;
  std::error_code reopen() override;
  [[nodiscard]] std::error_code close() noexcept override;
  [[nodiscard]] bool may_pass(std::error_code error) const noexcept override { return retryable(error); }
  [[nodiscard]] std::string describe(std::error_code error) const override { return file_.describe(error); }
  [[nodiscard]] std::shared_ptr<SinkCounters> counters() noexcept override { return file_.counters(); }
  [[nodiscard]] RollingFile& file() noexcept { return file_; }

 private:
  void pass_notes() noexcept {
    if (file_.has_notes()) [[unlikely]]
      add_notes(file_.take_notes());
  }
  template <class Formatter>
  EmitResult collect(Formatter& formatter, std::span<const Event> events, OutputBuffer& buffer);
  template <class Formatter>
  EmitResult write(Formatter& formatter, std::span<const Event> events);

  std::variant<ClefFormatter, TextFormatter> formatter_;
  OutputBuffer lines_;
  std::vector<RollingFile::Unit> units_;
  RollingFile file_;
};

/// Is a file of that path CLEF under these options?
[[nodiscard]] bool writes_clef(std::string_view path, FileFormat format) noexcept;

}  // namespace cairn::detail
