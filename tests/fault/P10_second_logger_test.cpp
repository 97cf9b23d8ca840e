// P10: a signal handler that logs to another logger than the one whose call it interrupts, where both come to the same
// thing: an output, a logger behind them, the process's memory. It must not wait for what its own thread holds.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fcntl.h>
#include <cairn/all.hpp>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "support/gate_sink.hpp"
#include "support/in_child.hpp"
#include "support/log_folder.hpp"
#include "support/sanitizers.hpp"
#include "support/single_step.hpp"

namespace {

using cairn::testing::GateSink;
using cairn::testing::in_child;
using cairn::testing::LogFolder;
using cairn::testing::SingleSteps;
using namespace std::chrono_literals;

const cairn::Logger* of_handlers = nullptr;
std::uint64_t in_handlers = 0;

void log_in_handler() {
  if (SingleSteps::in_c_library()) return;
  ++in_handlers;
  of_handlers->information("from a handler");
}

/// One that hangs ends by the alarm.
template <class Body>
int in_mortal_child(Body&& body) {
  return in_child([&] {
    ::alarm(100);
    return body();
  });
}

class TakingSink final : public cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event> events) override { return cairn::EmitResult::all(events); }
};

/// What became of each call of a handler.
std::uint64_t accounted_for(const cairn::MetricsSnapshot& now) {
  return now.sinks.at(0).emitted + now.sinks.at(0).failed_total() + now.logger.rejected_total();
}

enum class Output { descriptor, object, shared_file };

class P10SharedOutput : public ::testing::TestWithParam<Output> {};

TEST_P(P10SharedOutput, is_not_waited_for_by_a_handler_that_interrupts_who_writes_there) {
  if (cairn::testing::under_sanitizer) GTEST_SKIP() << "what it adds are instructions, too";
  const LogFolder folder;
  EXPECT_EQ(in_mortal_child([&] {
              const int fd = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
              const auto sink = std::make_shared<TakingSink>();
              const auto make = [&] {
                cairn::Configuration configuration;
                configuration.on_internal_error([](std::string_view) {});
                switch (GetParam()) {
                  case Output::descriptor: configuration.write_to_descriptor(fd); break;
                  case Output::object: configuration.write_to(sink, "sink"); break;
                  case Output::shared_file: configuration.write_to_file(folder.path("a.log"), {.shared = true}); break;
                }
                return configuration.create_logger();
              };
              const cairn::Logger interrupted = make();
              const cairn::Logger other = make();
              of_handlers = &other;
              interrupted.information("what a call needs of memory is there");
              other.information("here too");
              SingleSteps steps(&log_in_handler);
              constexpr long distance = 7;
              for (long first = 0; first < distance; ++first)
                (void)steps.run(first, distance, [&] { interrupted.information("{N}", first); });
              const cairn::MetricsSnapshot now = other.metrics();
              const cairn::SinkCounts& written = now.sinks.at(0);
              std::fprintf(stderr, "%lu in handlers: %lu emitted, %lu failed (%s), %lu refused\n", in_handlers,
                           written.emitted, written.failed_total(), written.last_error.c_str(),
                           now.logger.rejected_total());
              if (accounted_for(now) != in_handlers + 1) return 1;
              if (written.last_error.find("timed out") != std::string::npos) return 2;  // it was waited for
              // Around the turn it is delivered, within it is not.
              return written.emitted > 100 && written.failed_total() > 0 ? 0 : 3;
            }),
            0);
}
std::string name_of(const ::testing::TestParamInfo<Output>& test) {
  constexpr const char* names[] = {"descriptor", "object", "shared_file"};
  return names[static_cast<int>(test.param)];
}
INSTANTIATE_TEST_SUITE_P(Each, P10SharedOutput,
                         ::testing::Values(Output::descriptor, Output::object, Output::shared_file), name_of);

struct Asked {
  const char* name;
  void (*ask)(const cairn::Logger& target);
};

std::optional<cairn::FlushResult> answered;

class P10Target : public ::testing::TestWithParam<Asked> {};

TEST_P(P10Target, is_not_waited_for_by_a_handler_that_logs_to_the_logger_before_it) {
  if (cairn::testing::under_sanitizer) GTEST_SKIP() << "what it adds are instructions, too";
  EXPECT_EQ(in_mortal_child([] {
              cairn::Configuration behind;
              behind.on_internal_error([](std::string_view) {});
              behind.write_to_null().with_queue({.max_size = 1U << 20U});
              const cairn::Logger target = behind.create_logger();
              cairn::Configuration before;
              before.on_internal_error([](std::string_view) {});
              before.write_to_logger(target);
              const cairn::Logger relaying = before.create_logger();
              of_handlers = &relaying;
              relaying.information("what a call needs of memory is there");
              target.information("here too");
              GetParam().ask(target);
              SingleSteps steps(&log_in_handler);
              constexpr long distance = 7;
              for (long first = 0; first < distance; ++first)
                (void)steps.run(first, distance, [&] { GetParam().ask(target); });
              const cairn::MetricsSnapshot now = relaying.metrics();
              const std::uint64_t refused_there = target.metrics().logger.rejected_total();
              std::fprintf(stderr, "%lu in handlers: %lu emitted, %lu failed, %lu refused by the target\n", in_handlers,
                           now.sinks.at(0).emitted, now.sinks.at(0).failed_total(), refused_there);
              if (accounted_for(now) != in_handlers + 1) return 1;
              return refused_there != 0 && now.sinks.at(0).failed_total() == refused_there ? 0 : 2;
            }),
            0);
}
constexpr Asked asked[] = {
    {"flush", [](const cairn::Logger& target) { answered.emplace(target.flush(1min)); }},
    {"reopen", [](const cairn::Logger& target) { answered.emplace(target.reopen(1min)); }},
};
INSTANTIATE_TEST_SUITE_P(All, P10Target, ::testing::ValuesIn(asked), [](const auto& test) { return test.param.name; });

TEST(P10MemoryBudget, that_is_used_up_has_no_handler_wait_for_a_queue_that_its_thread_flushes) {
  if (cairn::testing::under_sanitizer) GTEST_SKIP() << "what it adds are instructions, too";
  EXPECT_EQ(in_mortal_child([] {
              const auto gate = std::make_shared<GateSink>();
              cairn::Configuration hanging;
              hanging.on_internal_error([](std::string_view) {}).memory_budget({.max_bytes = 8 << 20});
              hanging.write_to(gate, "gate").with_queue({.max_size = 1U << 20U});
              const cairn::Logger full = hanging.create_logger();
              const auto quiet = std::make_shared<GateSink>();
              cairn::Configuration mixed;
              mixed.on_internal_error([](std::string_view) {});
              mixed.write_to_null();
              mixed.write_to(quiet, "quiet").with_queue({.max_size = 1U << 20U});
              const cairn::Logger other = mixed.create_logger();
              of_handlers = &other;
              other.information("what a call needs of memory is there");
              const std::string text(3000, 'x');
              // Until something had to go for the next.
              while (full.metrics().sinks.at(0).dropped_total() == 0) full.information("{Text}", text);
              SingleSteps steps(&log_in_handler);
              constexpr long distance = 7;
              for (long first = 0; first < distance; ++first)
                (void)steps.run(first, distance, [&] { answered.emplace(full.flush(0s)); });
              const auto now = other.metrics();
              std::fprintf(stderr, "%lu in handlers: %lu accepted by the queue, %lu refused\n", in_handlers,
                           now.sinks.at(1).accepted, now.logger.rejected_total());
              if (now.sinks.at(1).accepted + now.logger.rejected_total() != in_handlers + 1) return 1;
              const bool some = now.sinks.at(1).accepted > 10;
              gate->open();
              quiet->open();
              return some ? 0 : 2;
            }),
            0);
}

}  // namespace
