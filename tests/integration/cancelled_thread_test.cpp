// A thread that is cancelled while it logs ends after the call, not in the middle of it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <functional>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>

#include "support/in_child.hpp"
#include "support/log_folder.hpp"

namespace {

using cairn::testing::in_child;
using cairn::testing::LogFolder;

/// Runs `body` in a thread that is cancelled while it is between `inside` and `go`; true if it ended cancelled.
class CancelledThread {
 public:
  /// In the thread: says that it is inside, then waits until it was cancelled.
  void wait_until_cancelled() {
    inside_.set_value();
    while (!cancelled_.load()) {
    }
  }
  bool run(std::function<void()> body) {
    body_ = std::move(body);
    pthread_t thread{};
    (void)::pthread_create(
        &thread, nullptr,
        [](void* self) -> void* {
          static_cast<CancelledThread*>(self)->body_();
          ::pthread_testcancel();
          return nullptr;
        },
        this);
    inside_.get_future().wait();
    (void)::pthread_cancel(thread);
    cancelled_.store(true);
    void* result = nullptr;
    (void)::pthread_join(thread, &result);
    return result == PTHREAD_CANCELED;
  }

 private:
  std::function<void()> body_;
  std::promise<void> inside_;
  std::atomic<bool> cancelled_{false};
};

// In a process of its own each: where the defence is missing, the process is ended.

TEST(CancelledThread, ends_after_the_call_that_was_inside_a_sink_of_the_program) {
  EXPECT_EQ(in_child([] {
              CancelledThread thread;
              int delivered = 0;
              auto log = cairn::Configuration{}
                             .write_to_callback([&](const cairn::Event&) {
                               if (delivered == 0) thread.wait_until_cancelled();
                               ::pthread_testcancel();  // what any call that may wait does
                               ++delivered;
                             })
                             .create_logger();
              const bool cancelled = thread.run([&] {
                log.information("first");
                log.information("second");
              });
              log.information("from a thread that lives");
              return cancelled && delivered == 3 ? 7 : 8;
            }),
            7);
}

TEST(CancelledThread, ends_after_the_call_that_writes_to_a_file) {
  const LogFolder folder;
  EXPECT_EQ(in_child([&] {
              CancelledThread thread;
              auto log = cairn::Configuration{}
                             .write_to_file(folder.path("app.log"), {.output_template = "{Message}{NewLine}",
                                                                     .max_file_bytes = 4})  // each a file of its own
                             .create_logger();
              const bool cancelled = thread.run([&] {
                thread.wait_until_cancelled();
                log.information("one");
                log.information("two");
                log.flush();
              });
              return cancelled ? 7 : 8;
            }),
            7);
  EXPECT_EQ(folder.lines(), (std::vector<std::string>{"one", "two"}));
}

TEST(CancelledThread, ends_after_the_call_that_waits_for_a_console_that_is_full) {
  EXPECT_EQ(in_child([] {
              int ends[2];
              if (::pipe2(ends, O_CLOEXEC) != 0 || ::fcntl(ends[1], F_SETFL, O_NONBLOCK) != 0) return 1;
              ::dup2(ends[1], STDOUT_FILENO);
              ::close(ends[1]);
              std::size_t read = 0;
              std::thread reader([&] {
                char bytes[4096];
                for (ssize_t got; (got = ::read(ends[0], bytes, sizeof bytes)) > 0;)
                  read += static_cast<std::size_t>(got);
              });
              CancelledThread thread;
              auto log = cairn::Configuration{}.write_to_console({.output_template = "{Message}\n"}).create_logger();
              const bool cancelled = thread.run([&] {
                thread.wait_until_cancelled();
                for (int i = 0; i < 100; ++i)
                  log.information("{Text}", std::string(29'999, 'x'));  // more than it holds
              });
              ::close(STDOUT_FILENO);
              reader.join();
              return cancelled && read == 3'000'000 ? 7 : 8;
            }),
            7);
}

TEST(CancelledThread, ends_after_the_call_that_waits_for_room_in_a_queue) {
  EXPECT_EQ(in_child([] {
              CancelledThread thread;
              std::promise<void> open;
              auto opened = open.get_future().share();
              auto log = cairn::Configuration{}
                             .write_to_callback([opened](const cairn::Event&) { opened.wait(); })
                             .with_queue({.max_size = 1,
                                          .batch_size = 1,
                                          .overflow = cairn::Overflow::block,
                                          .block_timeout = std::chrono::milliseconds(20)})
                             .create_logger();
              const bool cancelled = thread.run([&] {
                thread.wait_until_cancelled();
                for (int i = 0; i < 5; ++i) log.information("{Number}", i);  // two have room, the others wait in vain
              });
              const auto rejected = log.metrics().logger.rejected;
              open.set_value();
              const auto late = rejected.find("block_timeout");
              return cancelled && late != rejected.end() && late->second >= 1 ? 7 : 8;
            }),
            7);
}

/// A sink that fails as its thread is cancelled; `config` sees to what is called then.
void expect_to_end_after_the_call(const std::function<void(cairn::SinkConfiguration&)>& configure) {
  EXPECT_EQ(in_child([&] {
              CancelledThread thread;
              cairn::Configuration config;
              config.on_internal_error([](std::string_view) {});
              auto sink = config.write_to_callback([&](const cairn::Event&) {
                thread.wait_until_cancelled();
                throw std::runtime_error("down");
              });
              configure(sink);
              const auto log = config.create_logger();
              const bool cancelled = thread.run([&] { log.information("one"); });
              return cancelled && log.metrics().sinks[0].diverted == 1 ? 7 : 8;
            }),
            7);
}

TEST(CancelledThread, ends_after_the_call_that_tells_of_a_fallback) {
  expect_to_end_after_the_call([](cairn::SinkConfiguration& sink) {
    sink.with_fallback(cairn::SinkSpec::null(), [](std::size_t, std::string_view) { ::pthread_testcancel(); });
  });
}

TEST(CancelledThread, ends_after_the_call_that_tells_of_a_breaker) {
  expect_to_end_after_the_call([](cairn::SinkConfiguration& sink) {
    sink.with_circuit_breaker(
            {.failures = 1, .on_transition = [](const cairn::CircuitTransition&) { ::pthread_testcancel(); }})
        .with_fallback(cairn::SinkSpec::null());
  });
}

TEST(CancelledThread, ends_after_a_breaker_of_its_own_has_told_its_listeners) {
  EXPECT_EQ(in_child([] {
              CancelledThread thread;
              cairn::CircuitBreaker breaker(
                  {.failures = 1, .on_transition = [](const cairn::CircuitTransition&) { ::pthread_testcancel(); }});
              const bool cancelled = thread.run([&] {
                (void)breaker.call([&] {
                  thread.wait_until_cancelled();
                  throw std::runtime_error("down");
                });
              });
              return cancelled && breaker.state() == cairn::CircuitState::open ? 7 : 8;
            }),
            7);
}

TEST(CancelledThread, ends_after_a_shutdown_that_waited_for_a_handler) {
  EXPECT_EQ(in_child([] {
              ::alarm(60);
              CancelledThread thread;
              cairn::Shutdown shutdown;
              auto status = cairn::ShutdownStatus::in_progress;
              shutdown.on_shutdown([&] { thread.wait_until_cancelled(); }, {.timeout = std::chrono::minutes(1)});
              const bool cancelled = thread.run([&] {
                status = shutdown.execute(cairn::ShutdownStrategy::graceful(std::chrono::minutes(1))).status;
              });
              return cancelled && status == cairn::ShutdownStatus::completed ? 0 : 1;
            }),
            0);
}

}  // namespace
