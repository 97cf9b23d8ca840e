// N2 and S8: sinks that do not come back, when files are to be opened afresh: nobody waits for them without end, and no
// other sink goes without, nor what else signals ask for.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/in_child.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::FlushStatus;
using cairn::testing::in_child;

template <class F>
void wait_until(F&& f) {
  while (!f()) std::this_thread::yield();  // the test program has a time limit
}

/// May be shut in emit() or in reopen(); then it comes back when it is let go.
class DoorSink final : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    if (emit_hangs) hang();
    emitted += events.size();
    return cairn::EmitResult::all(events);
  }
  std::error_code reopen() override {
    if (reopen_hangs) hang();
    if (reopen_throws) throw std::runtime_error("no such folder");
    ++reopened;
    return {};
  }
  std::atomic<bool> emit_hangs{false};
  std::atomic<bool> reopen_hangs{false};
  std::atomic<bool> reopen_throws{false};
  std::atomic<int> inside{0};
  std::atomic<int> reopened{0};
  std::atomic<std::uint64_t> emitted{0};
  void let_go() {
    emit_hangs = reopen_hangs = false;
    door_.release(inside);
  }

 private:
  void hang() {
    ++inside;
    door_.acquire();
    --inside;
  }
  std::counting_semaphore<> door_{0};
};

class N2HungSinkAtReopen : public ::testing::Test {
 protected:
  cairn::Configuration told() {
    cairn::Configuration configuration;
    configuration.on_internal_error([this](std::string_view text) {
      const std::lock_guard lock(mutex_);
      messages_.emplace_back(text);
    });
    return configuration;
  }
  bool was_told(std::string_view text) {
    const std::lock_guard lock(mutex_);
    for (const std::string& message : messages_) {
      if (message.find(text) != std::string::npos) return true;
    }
    return false;
  }
  const std::shared_ptr<DoorSink> hung = std::make_shared<DoorSink>();
  const std::shared_ptr<DoorSink> well = std::make_shared<DoorSink>();

 private:
  std::mutex mutex_;
  std::vector<std::string> messages_;
};

TEST_F(N2HungSinkAtReopen, is_waited_for_no_longer_than_asked_and_named_and_the_others_are_reopened) {
  for (const bool queued : {false, true}) {
    hung->emit_hangs = true;
    auto configuration = told();
    auto to = configuration.write_to(hung, "hung");
    if (queued) to.with_queue();
    configuration.write_to(well, "well").with_queue();
    const auto log = configuration.create_logger();
    std::thread caller([&] { log.information("one"); });
    wait_until([&] { return hung->inside == 1; });
    const int before = well->reopened;
    const auto result = log.reopen(30ms);
    EXPECT_EQ(result.status, FlushStatus::timed_out);
    ASSERT_EQ(result.sinks.size(), 2U);
    EXPECT_EQ(result.sinks[0].name, "hung");
    EXPECT_EQ(result.sinks[0].status, FlushStatus::timed_out);
    EXPECT_EQ(result.sinks[1].status, FlushStatus::ok);
    EXPECT_EQ(well->reopened, before + 1);
    EXPECT_TRUE(was_told("sink hung could not be reopened: the sink is still busy with an event"));
    hung->let_go();
    caller.join();
    EXPECT_EQ(log.reopen(1min).status, FlushStatus::ok);
    EXPECT_EQ(log.close().status, FlushStatus::ok);
  }
  EXPECT_EQ(hung->reopened, 2);
}

TEST_F(N2HungSinkAtReopen, has_its_fallback_reopened_all_the_same) {
  hung->emit_hangs = true;
  auto configuration = told();
  configuration.write_to(hung, "hung")
      .with_queue()
      .with_circuit_breaker({.attempt_timeout = 20ms})
      .with_fallback(cairn::SinkSpec::sink(well, "spare"));
  const auto log = configuration.create_logger();
  log.information("one");
  wait_until([&] { return hung->inside == 1; });
  wait_until([&] { return was_told("has not come back"); });
  const auto result = log.reopen(1min);
  EXPECT_EQ(result.sinks.at(0).status, FlushStatus::failed);
  EXPECT_EQ(result.sinks.at(0).error, "the sink has not come back from a call");
  EXPECT_EQ(result.sinks.at(1).status, FlushStatus::ok);
  EXPECT_EQ(well->reopened, 1);
  hung->let_go();
  log.close();
}

TEST_F(N2HungSinkAtReopen, nor_is_one_that_throws_passed_over_in_silence) {
  well->reopen_throws = true;
  auto configuration = told();
  configuration.write_to(well, "thrower").with_fallback(cairn::SinkSpec::sink(hung, "spare"));
  const auto log = configuration.create_logger();
  const auto result = log.reopen();
  EXPECT_EQ(result.status, FlushStatus::failed);
  EXPECT_EQ(result.sinks.at(0).error, "no such folder");
  EXPECT_TRUE(was_told("sink thrower could not be reopened: no such folder"));
  EXPECT_EQ(hung->reopened, 1);
}

TEST_F(N2HungSinkAtReopen, holds_up_no_later_signal) {
  EXPECT_EQ(in_child([&] {
              ::alarm(60);
              const auto memory = std::make_shared<cairn::MemorySink>();
              const auto stuck = std::make_shared<DoorSink>();
              hung->emit_hangs = stuck->reopen_hangs = true;
              auto configuration = cairn::Configuration{};
              configuration.reopen_on_sighup().with_shutdown_timeout(50ms).on_internal_error([](std::string_view) {});
              configuration.write_to(hung, "hung").with_queue();
              configuration.write_to(stuck, "stuck").with_queue();
              configuration.write_to(well, "well").with_queue();
              configuration.write_to(memory, "memory").with_queue();
              const auto log = configuration.create_logger();
              cairn::set_logger(log);
              ::signal(SIGUSR1, [](int) { (void)cairn::log_signal_safe(cairn::Level::warning, "from a handler"); });
              ::signal(SIGTERM, [](int) { (void)cairn::request_shutdown_from_signal(); });
              log.information("one");
              wait_until([&] { return hung->inside == 1; });
              for (int turn = 1; turn <= 3; ++turn) {
                ::raise(SIGHUP);
                wait_until([&] { return well->reopened == turn; });
              }
              wait_until([&] { return stuck->inside == 1; });
              ::raise(SIGUSR1);
              wait_until([&] { return memory->size() == 2; });
              ::raise(SIGTERM);
              wait_until([&] { return !log.is_enabled(cairn::Level::fatal); });
              ::_exit(0);  // the two stay where they are
              return 1;
            }),
            0);
}

int threads_named(const std::string& name) {
  int found = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream comm(task.path() / "comm");
    std::string line;
    if (std::getline(comm, line) && line == name) ++found;
  }
  return found;
}

TEST_F(N2HungSinkAtReopen, is_waited_for_by_one_thread_however_many_signals_come) {
  EXPECT_EQ(in_child([&] {
              ::alarm(60);
              hung->emit_hangs = true;
              auto configuration = cairn::Configuration{};
              configuration.reopen_on_sighup().on_internal_error([](std::string_view) {});
              configuration.write_to(hung, "hung").with_queue();
              configuration.write_to(well, "well").with_queue();
              const auto log = configuration.create_logger();
              log.information("one");
              wait_until([&] { return hung->inside == 1; });
              for (int turn = 1; turn <= 50; ++turn) {
                const int before = well->reopened;
                ::raise(SIGHUP);
                wait_until([&] { return well->reopened > before; });
              }
              if (threads_named("cairn-reopen") > 2) return 1;  // one for each of the two
              hung->let_go();
              ::raise(SIGHUP);
              wait_until([&] { return hung->reopened > 0; });
              return 0;
            }),
            0);
}

TEST_F(N2HungSinkAtReopen, or_a_synchronous_one_in_a_message_of_a_handler_holds_up_no_shutdown) {
  EXPECT_EQ(in_child([&] {
              ::alarm(60);
              hung->emit_hangs = true;
              auto configuration = cairn::Configuration{};
              configuration.with_shutdown_timeout(50ms).on_internal_error([](std::string_view) {});
              configuration.write_to(hung, "hung");
              const auto log = configuration.create_logger();
              cairn::set_logger(log);
              cairn::start_signal_thread();
              ::signal(SIGUSR1, [](int) { (void)cairn::log_signal_safe(cairn::Level::warning, "from a handler"); });
              ::signal(SIGTERM, [](int) { (void)cairn::request_shutdown_from_signal(); });
              ::raise(SIGUSR1);
              wait_until([&] { return hung->inside == 1; });
              ::raise(SIGTERM);
              wait_until([&] { return !log.is_enabled(cairn::Level::fatal); });
              ::_exit(0);
              return 1;
            }),
            0);
}

TEST_F(N2HungSinkAtReopen, or_a_fallback_in_the_notice_of_a_breaker_is_seen_to_hang_although_only_flushed) {
  const auto failing = std::make_shared<DoorSink>();
  const auto last = std::make_shared<DoorSink>();
  auto configuration = told();
  configuration.write_to(failing, "failing")
      .with_queue()
      .with_circuit_breaker()
      .with_fallback(cairn::SinkSpec::sink(hung, "spare")
                         .with_queue({.flush_interval = 1h})
                         .with_circuit_breaker({.attempt_timeout = 20ms})
                         .with_fallback(cairn::SinkSpec::sink(last, "last")));
  const auto log = configuration.create_logger();
  hung->emit_hangs = true;
  log.circuit_breaker("failing")->open();  // a notice that the next events of the fallback come after, or its flush
  const auto flushed = log.flush(1ms);
  EXPECT_EQ(flushed.status, FlushStatus::timed_out);
  wait_until([&] { return hung->inside == 1; });
  log.information("one");
  wait_until([&] { return last->emitted != 0; });
  hung->let_go();
  log.close();
}

}  // namespace
