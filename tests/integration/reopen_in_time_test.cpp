// Logger::reopen() comes back in its time, whatever a sink is at, and says what became of each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using cairn::FlushStatus;
using testing::IsEmpty;

/// May be shut in emit(), until it is let go.
class DoorSink final : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    if (emit_hangs) hang();
    return cairn::EmitResult::all(events);
  }
  std::error_code reopen() override {
    ++reopened;
    return {};
  }
  void let_go() {
    emit_hangs = false;
    door_.release();
  }
  std::atomic<bool> emit_hangs{false};
  std::binary_semaphore inside{0};
  std::atomic<int> reopened{0};

 private:
  void hang() {
    inside.release();
    door_.acquire();
  }
  std::binary_semaphore door_{0};
};

struct ReopenInTime : testing::Test {
  const std::shared_ptr<DoorSink> door = std::make_shared<DoorSink>();
  const std::shared_ptr<DoorSink> well = std::make_shared<DoorSink>();
  std::mutex mutex;
  std::vector<std::string> told;

  [[nodiscard]] cairn::Logger logger() {
    cairn::Configuration configuration;
    configuration.on_internal_error([this](std::string_view text) {
      const std::lock_guard lock(mutex);
      told.emplace_back(text);
    });
    configuration.write_to(door, "door");
    configuration.write_to(well, "well");
    return configuration.create_logger();
  }
};

TEST_F(ReopenInTime, waits_for_another_loggers_call_into_a_shared_sink_no_longer_than_asked) {
  const auto log = logger();
  const auto other = cairn::Configuration{}.write_to(door, "door").create_logger();
  door->emit_hangs = true;
  std::thread caller([&] { other.information("x"); });
  door->inside.acquire();
  const auto before = std::chrono::steady_clock::now();
  const auto result = log.reopen(20ms);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 1900ms) << "2 s were waited before, whatever was asked";
  EXPECT_EQ(result.status, FlushStatus::timed_out);
  ASSERT_EQ(result.sinks.size(), 2U);
  EXPECT_EQ(result.sinks[0].status, FlushStatus::timed_out);
  EXPECT_EQ(result.sinks[1].status, FlushStatus::ok);
  EXPECT_EQ(well->reopened, 1);
  door->let_go();
  caller.join();
  EXPECT_EQ(log.reopen(1min).status, FlushStatus::ok);
  EXPECT_EQ(door->reopened, 1) << "not by the one that timed out";
}

TEST_F(ReopenInTime, waits_for_a_shared_sink_as_long_as_asked) {
  const auto log = logger();
  const auto other = cairn::Configuration{}.write_to(door, "door").create_logger();
  door->emit_hangs = true;
  std::thread caller([&] { other.information("x"); });
  door->inside.acquire();
  std::thread opener([&] {
    while (well->reopened == 0) std::this_thread::yield();
    door->let_go();
  });
  EXPECT_EQ(log.reopen(1min).status, FlushStatus::ok);
  caller.join();
  opener.join();
}

TEST_F(ReopenInTime, says_of_a_logger_that_has_ended_that_its_sinks_are_closed) {
  const auto log = logger();
  (void)log.close();
  const auto result = log.reopen();
  EXPECT_EQ(result.status, FlushStatus::failed);
  ASSERT_EQ(result.sinks.size(), 2U);
  EXPECT_EQ(result.sinks[0].error, "the sink is closed");
  EXPECT_EQ(door->reopened, 0);
  EXPECT_THAT(told, IsEmpty());
}

}  // namespace
