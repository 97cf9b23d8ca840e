#include "sinks/console_sink.hpp"

namespace cairn::detail {

namespace {

bool is_coloured(const ConsoleOptions& options, int fd, Environment environment) noexcept {
  return options.format == Format::text && options.theme != Theme::none &&
         wants_colours(options.colour, ::isatty(fd) == 1, environment);
}

}  // namespace

ConsoleSink::ConsoleSink(const ConsoleOptions& options, const ConsoleWorld& world)
    : formatter_(ClefFormatter(options.clef)),
      painter_(options.theme),
      stderr_from_(options.stderr_from),
      out_{DescriptorWriter(world.out, *world.ops), is_coloured(options, world.out, world.environment)},
      err_{DescriptorWriter(world.err, *world.ops), is_coloured(options, world.err, world.environment)} {
  if (options.format == Format::text) {
    formatter_.emplace<TextFormatter>(
        options.output_template.empty() ? default_console_template : std::string_view(options.output_template),
        options.rendering, options.time_zone);
  }
}

EmitResult ConsoleSink::emit(std::span<const Event> events) {
  EmitResult result;
  // Runs of events for one side: a reader of both sees the order they came in.
  while (!events.empty()) {
    const bool to_stderr = goes_to_stderr(events.front());
    std::size_t run = 1;
    while (run < events.size() && goes_to_stderr(events[run]) == to_stderr) ++run;
    const LinesWritten written = write(to_stderr ? err_ : out_, events.first(run));
    result.emitted += written.events;
    result.bytes += written.bytes;
    result.error = written.error;
    if (written.error) break;  // what was delivered must stay a prefix
    events = events.subspan(run);
  }
  return result;
}

LinesWritten ConsoleSink::write(Side& side, std::span<const Event> events) {
  lines_.clear();
  ends_.clear();
  for (const Event& event : events) {
    if (auto* const text = std::get_if<TextFormatter>(&formatter_)) {
      text->format(event, lines_, side.coloured ? &painter_ : nullptr);
    } else {
      std::get<ClefFormatter>(formatter_).format(event, lines_);
    }
    ends_.push_back(lines_.size());
  }
  return side.writer.write(lines_.view(), ends_);
}

}  // namespace cairn::detail
