// No call of on_internal_error begins once its logger has ended: what the callback looks at may be gone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <memory>
#include <semaphore>
#include <stdexcept>
#include <thread>

namespace {

using namespace std::chrono_literals;

/// Fails on an event once it is let go.
class FailingLater final : public cairn::Sink {
 public:
  explicit FailingLater(std::atomic<bool>& destroyed) : destroyed_(destroyed) {}
  ~FailingLater() override { destroyed_ = true; }
  cairn::EmitResult emit(std::span<const cairn::Event>) override {
    inside.release();
    door.acquire();
    throw std::runtime_error("no");
  }
  std::counting_semaphore<> inside{0};
  std::counting_semaphore<> door{0};

 private:
  std::atomic<bool>& destroyed_;
};

struct ErrorsAfterTheEnd : testing::Test {
  std::atomic<int> told{0};
  std::atomic<bool> destroyed{false};
  std::shared_ptr<FailingLater> sink = std::make_shared<FailingLater>(destroyed);

  [[nodiscard]] cairn::Logger logger(std::chrono::nanoseconds timeout) {
    cairn::Configuration configuration;
    configuration.with_shutdown_timeout(timeout).on_internal_error([this](std::string_view) { ++told; });
    configuration.write_to(sink, "sink").with_queue();
    return configuration.create_logger();
  }
  /// The sink fails, is done with, and closed.
  void let_it_fail() {
    FailingLater* const failing = sink.get();
    sink.reset();
    failing->door.release(10);
    while (!destroyed) std::this_thread::yield();  // the test program has a time limit
  }
};

TEST_F(ErrorsAfterTheEnd, are_not_told_to_the_callback_of_a_logger_that_was_closed) {
  const auto log = logger(1ms);
  log.information("x");
  sink->inside.acquire();
  EXPECT_EQ(log.close().status, cairn::FlushStatus::timed_out);
  const int before = told;
  testing::internal::CaptureStderr();
  let_it_fail();
  EXPECT_EQ(told, before);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("sink sink failed")) << "but not lost";
}

TEST_F(ErrorsAfterTheEnd, are_not_told_to_the_callback_of_one_that_drains_without_handles) {
  {
    const auto log = logger(1min);
    log.information("x");
    sink->inside.acquire();
  }
  let_it_fail();
  EXPECT_EQ(told, 0);
}

TEST_F(ErrorsAfterTheEnd, wait_for_a_call_that_is_under_way_for_a_second) {
  std::binary_semaphore called{0};
  std::binary_semaphore come_back{0};
  cairn::Configuration configuration;
  configuration.on_internal_error([&](std::string_view) {
    called.release();
    come_back.acquire();
  });
  configuration.write_to_null();
  const auto log = configuration.create_logger();
  std::thread caller([&] { (void)log.for_source(""); });
  called.acquire();
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(log.close().status, cairn::FlushStatus::ok);
  EXPECT_GE(std::chrono::steady_clock::now() - before, 1s) << "it did not come back";
  come_back.release();
  caller.join();
}

TEST_F(ErrorsAfterTheEnd, do_not_wait_for_the_callback_that_ends_the_logger_itself) {
  cairn::Logger log;
  cairn::FlushStatus status = cairn::FlushStatus::would_deadlock;
  std::chrono::steady_clock::duration took{};
  cairn::Configuration configuration;
  configuration.on_internal_error([&](std::string_view) {
    const auto before = std::chrono::steady_clock::now();
    status = log.close().status;
    took = std::chrono::steady_clock::now() - before;
  });
  configuration.write_to_null();
  log = configuration.create_logger();
  (void)log.for_source("");
  EXPECT_EQ(status, cairn::FlushStatus::ok);
  EXPECT_LT(took, 900ms) << "a second is waited for others";
}

}  // namespace
