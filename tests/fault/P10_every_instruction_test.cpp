// P10: a signal handler that logs, at every single instruction of a log call. The processor's trap flag raises a signal
// behind each instruction, so that no moment is left out and none is chance.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cairn/all.hpp>
#include <cstdio>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/event_oracle.hpp"
#include "support/in_child.hpp"
#include "support/log_folder.hpp"
#include "support/sanitizers.hpp"
#include "support/single_step.hpp"

namespace {

using cairn::testing::EventOracle;
using cairn::testing::in_child;
using cairn::testing::log_marked;
using cairn::testing::mark_of;
using cairn::testing::OracleSink;
using cairn::testing::SingleSteps;
using namespace std::chrono_literals;

/// A logger, and who logs there: the calls, and as the producer behind those the handlers.
struct Logged {
  const cairn::Logger& log;
  std::uint64_t producer;
};

/// What the handler knows.
struct Step {
  const Logged* to = nullptr;
  const std::string* payload = nullptr;
  std::uint64_t nested = 0;
};
Step step;

void log_in_handler() { log_marked(step.to->log, step.to->producer + 1, step.nested++, *step.payload); }

/// One call, with a handler's in it that interrupts it at that instruction. Gives how many instructions it has.
long interrupted_call(SingleSteps& steps, const Logged& to, std::uint64_t number, const std::string& payload,
                      long interrupt_at) {
  const std::uint32_t mark = mark_of(to.producer, number, payload);
  constexpr long once = 1'000'000'000;
  return steps.run(interrupt_at, once, [&] {
    to.log.information("{Producer} {Sequence} {Crc} {Payload}", to.producer, number, mark, payload);
  });
}

/// Of the block that the calling thread writes into.
std::size_t room() {
  const cairn::detail::WriteWindow& window = cairn::detail::write_window;
  if (window.cursor == nullptr || window.end == nullptr) return 0;
  return reinterpret_cast<std::uintptr_t>(window.end) - (window.cursor_now >> cairn::detail::WriteWindow::cursor_shift);
}

/// So that the next call has to begin another.
void fill_block(const Logged& to, const std::string& payload, std::uint64_t& calls) {
  static const std::string much(2000, 'm');
  log_marked(to.log, to.producer, calls++, payload);
  const std::size_t before = room();
  log_marked(to.log, to.producer, calls++, payload);
  const std::size_t one = before > room() ? before - room() : before;
  while (room() >= one) log_marked(to.log, to.producer, calls++, room() > 4000 ? much : payload);
}

/// Two tasks that take turns on a thread, if they are to: each call comes under another context.
class Turns {
 public:
  explicit Turns(bool take_turns) {
    for (int task = 0; take_turns && task < 2; ++task) {
      const auto pushed = cairn::LogContext::push("Task", task);
      tasks_.push_back(cairn::LogContext::snapshot());
    }
  }
  void next() {
    if (tasks_.empty()) return;
    scope_.reset();
    scope_.emplace(tasks_[++turn_ % tasks_.size()]);
  }

 private:
  std::vector<cairn::ContextSnapshot> tasks_;
  std::optional<cairn::LogContext::Scope> scope_;
  std::size_t turn_ = 0;
};

enum class Blocks { as_it_comes, begun };
/// Two calls for each instruction that one has, the second of which begins a block if asked; the handler logs to
/// `handlers`.
void interrupt_everywhere(const Logged& to, const Logged& handlers, const std::string& payload, std::uint64_t& calls,
                          Blocks blocks, bool take_turns = false) {
  SingleSteps steps(&log_in_handler);
  Turns turns(take_turns);
  step.to = &handlers;
  log_marked(to.log, to.producer, calls++, payload);  // the lane is there
  long most = 2000;
  for (long at = 0; at < most; ++at) {
    long longest = 0;
    for (const bool second : {false, true}) {
      if (second && blocks == Blocks::begun) fill_block(to, payload, calls);
      turns.next();
      const long length = interrupted_call(steps, to, calls++, payload, at);
      longest = std::max(longest, length);
    }
    if (longest <= at) most = at;  // they were over before
  }
}

TEST(P10EveryInstruction, of_a_log_call_may_be_interrupted_by_a_handler_that_logs) {
  if (cairn::testing::under_thread_sanitizer) GTEST_SKIP() << "it delivers signals when it likes";
  EXPECT_EQ(in_child([] {
              ::alarm(120);
              // One each: their threads deliver side by side.
              const std::shared_ptr<OracleSink> sinks[] = {
                  std::make_shared<OracleSink>(), std::make_shared<OracleSink>(), std::make_shared<OracleSink>()};
              const auto log = cairn::Configuration{}
                                   .write_to(sinks[0], "checked")
                                   .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1min})
                                   .create_logger();
              const auto fast =
                  cairn::Configuration{}.write_to(sinks[1], "checked").with_queue({.max_size = 65536}).create_logger();
              const auto without_window = cairn::Configuration{}
                                              .write_to(sinks[2], "checked")
                                              .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1min})
                                              .with_memory_limit(64 << 20)
                                              .create_logger();
              const std::string own(24, 'o');
              // Long, so that it often begins a block.
              const std::string handlers(3000, 'h');
              step.payload = &handlers;
              std::uint64_t calls = 0;
              const Logged all[] = {{log, 0}, {fast, 2}, {without_window, 4}};
              for (const Logged& of_handlers : all) {
                if (cairn::testing::under_sanitizer) {  // what it adds are instructions, too
                  if (&of_handlers != &all[2])
                    interrupt_everywhere(of_handlers, of_handlers, own, calls, Blocks::as_it_comes);
                  continue;
                }
                interrupt_everywhere(all[0], of_handlers, own, calls, Blocks::as_it_comes);
                interrupt_everywhere(all[1], of_handlers, own, calls, Blocks::begun);  // by the quick way
                interrupt_everywhere(all[1], of_handlers, own, calls, Blocks::as_it_comes, true);
              }
              std::uint64_t captured = 0;
              std::uint64_t rejected = 0;
              std::uint64_t dropped = 0;
              for (const cairn::Logger* logger : {&fast, &log, &without_window}) {
                if (logger->flush(1min).status != cairn::FlushStatus::ok) return 1;
                (void)logger->close();
                const auto now = logger->metrics();
                if (!cairn::testing::ledger_fault(now).empty()) return 2;
                captured += now.logger.captured;
                rejected += now.logger.rejected_total();
                dropped += now.logger.dropped_total() + now.sinks[0].dropped_total();
              }
              std::uint64_t delivered = 0;
              for (std::size_t i = 0; i < 3; ++i) {
                const EventOracle& oracle = sinks[i]->oracle;
                for (const auto& [producer, logged] : oracle.producers) {
                  if (producer / 2 != i) return 6;  // another logger's
                }
                for (const std::string& fault : oracle.faults) std::fprintf(stderr, "%s\n", fault.c_str());
                if (oracle.torn + oracle.twice + oracle.out_of_order != 0) return 4;
                delivered += oracle.events;
              }
              std::fprintf(stderr,
                           "%lu calls, %lu in handlers: %lu captured, %lu rejected, %lu dropped, %lu delivered\n",
                           calls, step.nested, captured, rejected, dropped, delivered);
              if (captured + rejected != calls + step.nested) return 3;
              return delivered == captured && dropped == 0 && step.nested > 200 ? 0 : 5;
            }),
            0);
}

pid_t forked = 0;

/// A logger that is interrupted by such a handler; 0, or what is wrong.
int fork_everywhere(const cairn::Logger& log, bool take_turns = false) {
  ::alarm(120);
  const std::string own(24, 'o');
  std::uint64_t calls = 0;
  const Logged to{log, 0};
  Turns turns(take_turns);
  for (int i = 0; i < 2; ++i) {
    turns.next();
    log_marked(log, 0, calls++, own);  // the lane is there
  }
  SingleSteps steps([] {
    forked = ::fork();
    if (forked == 0) SingleSteps::step_no_more();
  });
  long most = 2000;
  for (long at = 0; at < most; ++at) {
    forked = -1;
    turns.next();
    const long length = interrupted_call(steps, to, calls++, own, at);
    if (length <= at) most = at;
    if (forked == 0) {
      for (int i = 0; i < 3; ++i) {
        turns.next();
        log_marked(log, 0, calls++, own);
      }
      ::_exit(log.flush(1min).status == cairn::FlushStatus::ok && log.metrics().logger.captured >= 3 ? 0 : 1);
    }
    int status = 0;
    if (forked > 0 && (::waitpid(forked, &status, 0) != forked || status != 0)) return 1;
  }
  if (log.flush(1min).status != cairn::FlushStatus::ok) return 2;
  return calls > 50 && log.metrics().logger.captured == calls ? 0 : 3;
}

TEST(P10EveryInstruction, of_a_log_call_may_be_interrupted_by_a_handler_that_forks_and_goes_on_in_both) {
  if (cairn::testing::under_sanitizer) GTEST_SKIP() << "each child would take its time";
  EXPECT_EQ(
      in_child([] { return fork_everywhere(cairn::Configuration{}.write_to_null().with_queue().create_logger()); }), 0);
}

TEST(P10EveryInstruction, of_a_log_call_after_a_change_of_context_may_be_interrupted_by_a_handler_that_forks) {
  if (cairn::testing::under_sanitizer) GTEST_SKIP() << "each child would take its time";
  EXPECT_EQ(in_child([] {
              return fork_everywhere(cairn::Configuration{}.write_to_null().with_queue().create_logger(), true);
            }),
            0);
}

/// Pushed by a handler, until it is ended.
class LastingPush {
 public:
  void begin() { new (memory_) cairn::ContextScope(cairn::LogContext::push("ByHandler", true)); }
  void end() { std::launder(reinterpret_cast<cairn::ContextScope*>(memory_))->~ContextScope(); }

 private:
  alignas(cairn::ContextScope) unsigned char memory_[sizeof(cairn::ContextScope)];
};
LastingPush lasting_push;
bool has_pushed = false;

/// Of a call of that value under a snapshot, each instruction is interrupted so, or one of so many, and the snapshot
/// comes again.
template <class T>
int change_context_everywhere(const cairn::Configuration& how, const T& value, long distance) {
  ::alarm(120);
  const auto sink = std::make_shared<cairn::MemorySink>();
  cairn::Configuration config = how;
  const cairn::Logger log = config.write_to(sink).with_queue().create_logger();
  log.information("{Value}", value);
  SingleSteps steps([] {
    if (SingleSteps::in_c_library()) return;
    lasting_push.begin();
    has_pushed = true;
  });
  long most = 4000;
  for (long at = 0; at < most; at += distance) {
    cairn::ContextSnapshot snapshot;
    {
      const auto task = cairn::LogContext::push("Task", at);
      snapshot = cairn::LogContext::snapshot();
    }
    {
      const cairn::LogContext::Scope scope(snapshot);
      const long length = steps.run(at, 1'000'000'000, [&] { log.information("{Value}", value); });
      if (length <= at) most = at;
      if (std::exchange(has_pushed, false)) lasting_push.end();
    }
    log.information("without {Task}", -1);
    const cairn::LogContext::Scope again(snapshot);
    log.information("with {Expected}", at);
    if (at % 10 == 0) (void)log.flush();
  }
  if (log.flush(1min).status != cairn::FlushStatus::ok) return 1;
  long right = 0;
  for (const cairn::OwnedEvent& event : sink->events()) {
    const auto expected = event->property("Expected");
    if (!expected) continue;
    if (event->property("ByHandler") || event->property("Task")->as_int64() != expected->as_int64()) return 2;
    ++right;
  }
  return right >= most / distance && most > 100 ? 0 : 3;
}

TEST(P10EveryInstruction,
     of_a_log_call_may_be_interrupted_by_a_handler_that_changes_the_context_which_then_comes_again) {
  if (cairn::testing::under_sanitizer) GTEST_SKIP() << "what it adds are instructions, too";
  const std::vector<int> range{1, 2};
  EXPECT_EQ(in_child([&] { return change_context_everywhere(cairn::Configuration{}, 1, 1); }), 0);
  EXPECT_EQ(in_child([&] { return change_context_everywhere(cairn::Configuration{}, range, 5); }), 0);
  cairn::Configuration enriched;
  enriched.enrich_at_capture([](cairn::EventBuilder& event) { event.add("Added", 1); });
  EXPECT_EQ(in_child([&] { return change_context_everywhere(enriched, range, 5); }), 0);
}

TEST(P10EveryInstruction, of_a_log_call_with_a_crash_ring_may_be_interrupted_by_a_handler_that_forks) {
  if (cairn::testing::under_sanitizer) GTEST_SKIP() << "each child would take its time";
  const cairn::testing::LogFolder folder;
  const cairn::CrashRingOptions ring{.application = "app", .folder = folder.path()};
  EXPECT_EQ(in_child([&] {
              cairn::Configuration config;
              config.write_to_null().with_queue();
              return fork_everywhere(config.with_crash_ring(ring).create_logger());
            }),
            0);
}

TEST(P10EveryInstruction, of_a_log_call_with_a_crash_ring_may_be_interrupted_too_and_all_of_it_is_in_the_ring) {
  if (cairn::testing::under_sanitizer)
    GTEST_SKIP() << "what it adds are instructions, too: too many for each to be interrupted";
  class HungSink final : public cairn::Sink {
    cairn::EmitResult emit(std::span<const cairn::Event>) override {
      for (;;) ::pause();
    }
  };
  const cairn::testing::LogFolder folder;
  const cairn::CrashRingOptions ring{.application = "app", .folder = folder.path(), .thread_bytes = 16U << 20U};
  EXPECT_EQ(in_child([&] {
              ::alarm(120);
              const auto log = cairn::Configuration{}
                                   .with_crash_ring(ring)
                                   .write_to(std::make_shared<HungSink>(), "hung")
                                   .with_queue()
                                   .create_logger();
              const std::string own(24, 'o');
              const std::string handlers(3000, 'h');
              step.payload = &handlers;
              std::uint64_t calls = 0;
              const Logged to{log, 0};
              interrupt_everywhere(to, to, own, calls, Blocks::as_it_comes);  // the ring has to hold it
              const cairn::LoggerCounts counts = log.metrics().logger;
              if (counts.captured + counts.rejected_total() != calls + step.nested) return 3;
              if (step.nested < 400 || counts.captured < calls + 100 || counts.ring_left_out != 0) return 5;
              folder.write("captured", std::to_string(counts.captured));
              ::kill(::getpid(), SIGKILL);
              return 0;
            }),
            128 + SIGKILL);
  const auto sink = std::make_shared<OracleSink>();
  cairn::Configuration{}.with_crash_ring(ring).write_to(sink, "checked").with_queue().create_logger().close();
  for (const std::string& fault : sink->oracle.faults) ADD_FAILURE() << fault;
  EXPECT_EQ(sink->oracle.torn + sink->oracle.twice + sink->oracle.out_of_order, 0U);
  EXPECT_EQ(std::to_string(sink->oracle.events), folder.read("captured"));
}

}  // namespace
