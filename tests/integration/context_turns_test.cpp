// Contexts that come and go in any order, as tasks do that share a thread: each event has, through a queue, the context
// that it has without one.
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {
using namespace cairn;

std::vector<std::string> contexts_of(const MemorySink& sink) {
  std::vector<std::string> all;
  for (const OwnedEvent& event : sink.events()) {
    std::string text = std::string(event.view().trace_id()) + "|";
    for (const auto& property : event.view().ambient_properties())
      text += std::string(property.name) + "=" + property.value.to_text() + ";";
    all.push_back(std::move(text));
  }
  return all;
}

/// A thread's contexts, changed at random.
class Contexts {
 public:
  explicit Contexts(std::uint32_t seed) : random_(seed) {}

  void change() {
    switch (below(12)) {
      case 0:
      case 1: pushes_.emplace_back(new ContextScope(LogContext::push(name(), static_cast<int>(below(5))))); break;
      case 2: pushes_.emplace_back(new ContextScope(LogContext::push(name(), std::string(below(200), 'x')))); break;
      case 3: pushes_.emplace_back(new ContextScope(LogContext::push_traceparent(trace()))); break;
      case 4:
      case 5: end_one(pushes_); break;
      case 6: snapshots_[below(std::size(snapshots_))] = LogContext::snapshot(); break;
      case 7:
      case 8:
        if (scopes_.size() < 6)
          scopes_.push_back(std::make_unique<LogContext::Scope>(snapshots_[below(std::size(snapshots_))]));
        break;
      case 9:
      case 10: end_one(scopes_); break;
      default:
        if (below(8) == 0) LogContext::clear();
    }
    if (pushes_.size() > 12) end_one(pushes_);
  }

 private:
  std::size_t below(std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_); }
  std::string name() { return std::string(1, static_cast<char>('A' + below(4))); }
  std::string trace() {
    std::string header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    header[5] = static_cast<char>('0' + below(3));
    return header;
  }
  /// Not always the newest.
  template <class T>
  void end_one(std::vector<T>& all) {
    if (all.empty()) return;
    const std::size_t which = below(3) != 0 ? all.size() - 1 : below(all.size());
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(which));
  }

  std::mt19937 random_;
  ContextSnapshot snapshots_[5];
  std::vector<std::unique_ptr<ContextScope>> pushes_;
  std::vector<std::unique_ptr<LogContext::Scope>> scopes_;
};

TEST(ContextTurns, of_any_history_are_the_same_queued_and_not) {
  for (std::uint32_t seed = 1; seed <= 40; ++seed) {
    const auto at_once = std::make_shared<MemorySink>();
    const auto behind_queue = std::make_shared<MemorySink>();
    const Logger plain = Configuration{}.write_to(at_once).create_logger();
    const Logger queued = Configuration{}.write_to(behind_queue).with_queue().create_logger();
    {
      Contexts contexts(seed);
      for (int i = 0; i < 1500; ++i) {
        for (std::uint32_t k = seed % 4; k-- > 0;) contexts.change();
        contexts.change();
        plain.information("{I}", i);
        queued.information("{I}", i);
        if (i % 5 == 0) queued.information("{I} of {Text}", i, std::string(static_cast<std::size_t>(i) % 700, 'y'));
        if (i % 5 == 0) plain.information("{I} of {Text}", i, std::string(static_cast<std::size_t>(i) % 700, 'y'));
        if (i % 200 == 0) (void)queued.flush();  // else the lane, full of long contexts, drops its oldest
      }
    }
    ASSERT_EQ(queued.flush().status, FlushStatus::ok);
    ASSERT_EQ(contexts_of(*behind_queue), contexts_of(*at_once)) << "seed " << seed;
  }
}

TEST(ContextTurns, of_more_snapshots_than_a_block_remembers_keep_theirs) {
  const auto sink = std::make_shared<MemorySink>();
  const Logger log = Configuration{}.write_to(sink).with_queue().create_logger();
  std::vector<ContextSnapshot> tasks;
  for (int i = 0; i < 50; ++i) {
    const auto task = LogContext::push("Task", i);
    tasks.push_back(LogContext::snapshot());
  }
  std::mt19937 random(7);
  std::vector<std::string> expected;
  for (int i = 0; i < 6000; ++i) {
    const std::size_t turn = random() % (i % 2 == 0 ? 3 : tasks.size());
    const LogContext::Scope scope(tasks[turn]);
    log.information("{I}", i);
    expected.push_back("|Task=" + std::to_string(turn) + ";");
  }
  ASSERT_EQ(log.flush().status, FlushStatus::ok);
  EXPECT_EQ(contexts_of(*sink), expected);
}

TEST(ContextTurns, of_one_snapshot_on_two_threads_are_each_threads_own) {
  const auto sink = std::make_shared<MemorySink>();
  const Logger log = Configuration{}.write_to(sink).with_queue().create_logger();
  ContextSnapshot shared;
  {
    const auto task = LogContext::push("Task", 1);
    shared = LogContext::snapshot();
  }
  const auto turns = [&](int of) {
    for (int i = 0; i < 500; ++i) {
      const LogContext::Scope scope(shared);
      log.information("{Thread} {Pushed}", of, false);
      const auto more = LogContext::push("More", of);
      log.information("{Thread} {Pushed}", of, true);
    }
  };
  std::thread other(turns, 2);
  turns(1);
  other.join();
  ASSERT_EQ(log.flush().status, FlushStatus::ok);
  std::size_t events = 0;
  for (const OwnedEvent& event : sink->events()) {
    const auto more = event->property("More");
    EXPECT_EQ(event->property("Task")->as_int64(), 1);
    EXPECT_EQ(more.has_value(), event->property("Pushed")->as_bool().value());
    if (more) {
      EXPECT_EQ(more->as_int64(), event->property("Thread")->as_int64());
    }
    ++events;
  }
  EXPECT_EQ(events, 2000U);
}

}  // namespace
