// From the plan of a sink to the sink.
#include "cairn/detail/buffering_sink.hpp"
#include "logger/logger_sink.hpp"
#include "logger/plan.hpp"
#include "platform/file_ops.hpp"
#include "sinks/console_sink.hpp"
#include "sinks/file_sink.hpp"
#include "sinks/plain_sinks.hpp"
#include "sinks/shared_sink.hpp"
#include "sinks/stream_sink.hpp"

namespace cairn::detail {

std::shared_ptr<Sink> make_sink(const SinkPlan& plan, Clock& clock, InternalErrors& errors) {
  struct Maker {
    const SinkPlan& plan;
    Clock& clock;
    InternalErrors& errors;
    std::shared_ptr<Sink> operator()(const NullPlan&) const { return std::make_shared<NullSink>(); }
    std::shared_ptr<Sink> operator()(const ConsolePlan& p) const { return std::make_shared<ConsoleSink>(p.options); }
    std::shared_ptr<Sink> operator()(const FilePlan& p) const {
      const auto report = [name = plan.name, &told = errors](std::string_view what) {
        told.report({"sink ", name, ": ", what});
      };
      return std::make_shared<FileSink>(p.path, p.options, system_file_ops(), clock, report);
    }
    std::shared_ptr<Sink> operator()(const CallbackPlan& p) const { return std::make_shared<CallbackSink>(p.callback); }
    std::shared_ptr<Sink> operator()(const SharedPlan& p) const {
      // One of Cairn's own is one logger's, which closes it.
      if (dynamic_cast<BufferingSink*>(p.sink.get()) != nullptr) return p.sink;
      return std::make_shared<SharedSink>(p.sink);
    }
    std::shared_ptr<Sink> operator()(const LoggerPlan& p) const { return std::make_shared<LoggerSink>(p.target); }
    std::shared_ptr<Sink> operator()(const StreamPlan& p) const {
      if (p.stream != nullptr)
        return std::make_shared<SharedSink>(std::make_shared<StreamSink>(*p.stream, p.options), *p.stream);
      return std::make_shared<DescriptorSink>(p.descriptor, p.options);
    }
  };
  return std::visit(Maker{plan, clock, errors}, plan.what);
}

}  // namespace cairn::detail
