// Events to stdout, and from a level on to stderr: coloured where a terminal reads, plain elsewhere; docs/console.md.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <optional>
#include <variant>
#include <vector>

#include "cairn/console_options.hpp"
#include "cairn/sink.hpp"
#include "format/clef_formatter.hpp"
#include "format/text_formatter.hpp"
#include "platform/file_ops.hpp"
#include "sinks/descriptor_writer.hpp"
#include "sinks/theme.hpp"

namespace cairn::detail {

/// The world around a console; a test brings its own.
struct ConsoleWorld {
  int out = STDOUT_FILENO;
  int err = STDERR_FILENO;
  Environment environment = [](const char* name) -> const char* { return std::getenv(name); };
  FileOps* ops = &system_file_ops();
};

/// Whether a side is coloured is decided once, when the sink is made. Writes go to the descriptors at once and past the
/// buffers of stdio and iostreams.
class ConsoleSink final : public Sink {
 public:
  explicit ConsoleSink(const ConsoleOptions& options, const ConsoleWorld& world = {});
  EmitResult emit(std::span<const Event> events) override;

 private:
  struct Side {
    DescriptorWriter writer;
    bool coloured;
  };
  [[nodiscard]] bool goes_to_stderr(const Event& event) const noexcept {
    return stderr_from_ && event.level() >= *stderr_from_;
  }
  LinesWritten write(Side& side, std::span<const Event> events);

  std::variant<ClefFormatter, TextFormatter> formatter_;
  ThemePainter painter_;
  std::optional<Level> stderr_from_;
  Side out_;
  Side err_;
  OutputBuffer lines_;
  std::vector<std::size_t> ends_;
};

}  // namespace cairn::detail
