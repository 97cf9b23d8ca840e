// P10: a signal handler that logs, at every instruction of what changes or reads the thread's context.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cairn/all.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "support/in_child.hpp"
#include "support/sanitizers.hpp"
#include "support/single_step.hpp"

namespace {

using cairn::LogContext;
using cairn::testing::in_child;
using cairn::testing::SingleSteps;
using namespace std::chrono_literals;

constexpr std::string_view long_text =
    "a text that is long enough for the block to grow, and to be seen when it is cut";
constexpr std::string_view trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const cairn::Logger* logger = nullptr;
std::uint64_t in_handlers = 0;

void log_in_handler() {
  ++in_handlers;
  logger->information("{ByHandler}", true);
}

/// Reads every property of every event, and takes no memory: it may run in a handler.
class ContextReader final : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    for (const cairn::Event& event : events) read(event);
    return cairn::EmitResult::all(events);
  }
  std::uint64_t of_handlers = 0;
  std::uint64_t with_context = 0;
  std::uint64_t own = 0;
  std::uint64_t torn = 0;

 private:
  void read(const cairn::Event& event) {
    bool by_handler = false;
    bool first_of_two = false;
    bool second_of_two = false;
    bool whole = event.trace_id().empty() || event.trace_id() == trace.substr(3, 32);
    std::size_t others = event.trace_id().empty() ? 0 : 1;
    for (const cairn::Property& property : event.properties()) {
      const std::string_view text = property.value.as_string().value_or("");
      if (property.name == "ByHandler") {
        by_handler = property.value.as_bool().value_or(false);
        continue;
      }
      ++others;
      if (property.name == "Long") {
        whole = whole && text == long_text;
      } else if (property.name == "First") {
        first_of_two = property.value.as_int64() == 1;
      } else if (property.name == "Second") {
        second_of_two = text == "two";
      } else if (property.name == "Kept") {
        whole = whole && text == "kept";
      } else if (property.name == "CorrelationId") {
        whole = whole && text.size() == 36;
      } else {
        whole = false;
      }
    }
    whole = whole && first_of_two == second_of_two && (by_handler || others == 0);
    torn += whole ? 0 : 1;
    with_context += by_handler && others != 0 ? 1 : 0;
    ++(by_handler ? of_handlers : own);
  }
};

/// Every way there is; nothing is in force behind it.
void change_contexts(const cairn::ContextSnapshot& kept) {
  const auto pushed = LogContext::push("Long", long_text);
  const auto two = LogContext::push_properties({{"First", 1}, {"Second", "two"}});
  const auto traced = LogContext::push_traceparent(trace);
  {
    const LogContext::Scope scope(kept);
    const auto correlation = LogContext::push_correlation_id();
    (void)LogContext::size();
    const auto suspended = LogContext::suspend();
    LogContext::clear();
  }
  (void)LogContext::current("Long");
  (void)LogContext::traceparent();
  (void)LogContext::snapshot();
}

cairn::ContextSnapshot kept_context() {
  const auto pushed = LogContext::push("Kept", "kept");
  return LogContext::snapshot();
}

/// 0: well.
int interrupt_changes(const cairn::Logger& log, const ContextReader& sink) {
  ::alarm(60);
  logger = &log;
  const cairn::ContextSnapshot kept = kept_context();
  {  // what a call may need of memory is there
    const auto pushed = LogContext::push("Long", long_text);
    const auto more = LogContext::push("More", std::string(1000, 'm'));
    log.information("{ByHandler}", false);
  }
  change_contexts(kept);
  (void)log.flush(1min);
  const std::uint64_t before = sink.torn;  // that one
  SingleSteps steps(&log_in_handler);
  std::uint64_t runs = 0;
  (void)steps.run(0, 1, [&] { change_contexts(kept); });
  constexpr long distance = 37;  // so that there are moments of which the ones before were left alone
  for (long first = 0; first < distance; ++first, ++runs) {
    (void)steps.run(first, distance, [&] { change_contexts(kept); });
    log.information("{ByHandler}", false);
    if (log.flush(10s).status != cairn::FlushStatus::ok) return 1;
  }
  const auto now = log.metrics();
  const std::uint64_t rejected = now.logger.rejected_total();
  const std::uint64_t dropped = now.logger.dropped_total() + now.sinks[0].dropped_total();
  std::fprintf(stderr, "%lu in handlers: %lu refused, %lu delivered, %lu of them with a context; %lu dropped\n",
               in_handlers, rejected, sink.of_handlers, sink.with_context, dropped);
  if (sink.torn != before) return 2;
  if (in_handlers + runs + 1 != now.logger.captured + rejected) return 3;
  if (now.logger.captured != sink.of_handlers + sink.own + dropped) return 4;
  if (rejected < 100 || sink.with_context < 100 || sink.of_handlers - sink.with_context < 100) return 5;
  return sink.own + dropped >= runs ? 0 : 6;
}

class P10Context : public ::testing::TestWithParam<bool> {};

TEST_P(P10Context, that_a_handler_finds_half_changed_is_never_read_and_its_call_is_refused) {
  if (cairn::testing::under_sanitizer) GTEST_SKIP() << "what it adds are instructions, too";
  EXPECT_EQ(in_child([] {
              const auto sink = std::make_shared<ContextReader>();
              auto configuration = cairn::Configuration{};
              auto to = configuration.write_to(sink, "reader");
              if (GetParam()) to.with_queue({.max_size = 1U << 20U});
              return interrupt_changes(configuration.create_logger(), *sink);
            }),
            0);
}
INSTANTIATE_TEST_SUITE_P(Deliveries, P10Context, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "queued" : "synchronous"; });

TEST(P10ContextInAHandler, is_not_changed_and_not_read_while_the_thread_changes_it) {
  if (cairn::testing::under_sanitizer) GTEST_SKIP() << "what it adds are instructions, too";
  EXPECT_EQ(in_child([] {
              ::alarm(60);
              static std::uint64_t changed = 0;
              SingleSteps steps([] {
                const auto pushed = LogContext::push("InHandler", 1);
                const auto two = LogContext::push("InHandler", 2);
                changed += LogContext::size();
              });
              const cairn::ContextSnapshot kept = kept_context();
              const std::uint64_t cut = LogContext::cut_count();
              constexpr long distance = 29;
              for (long first = 0; first < distance; ++first)
                (void)steps.run(first, distance, [&] { change_contexts(kept); });
              return LogContext::size_bytes() == 0 && changed > 100 && LogContext::cut_count() > cut + 100 ? 0 : 1;
            }),
            0);
}

}  // namespace
