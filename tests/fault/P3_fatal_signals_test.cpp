// P3, P4: a program that dies by a signal or std::terminate delivers what was logged and dies as it would have.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cairn/memory_sink.hpp>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "platform/own_thread.hpp"
#include "support/fatal_crash.hpp"
#include "support/in_child.hpp"
#include "support/log_folder.hpp"

namespace {

using cairn::testing::crash_by;
using cairn::testing::in_child;
using cairn::testing::LogFolder;
using cairn::testing::use_up_the_stack;
using namespace std::chrono_literals;

constexpr int count = 5000;

std::string numbers(int upto) {
  std::string text;
  for (int i = 0; i < upto; ++i) text += std::to_string(i) + '\n';
  return text;
}

/// Runs `body` in a child that is ended if it hangs; leaves no core.
template <class Body>
int dying(Body&& body) {
  return in_child([&]() -> int {
    ::alarm(60);
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    body();
    return 99;
  });
}

cairn::SinkSpec lines_to(const std::string& path) {
  return cairn::SinkSpec::file(path, {.output_template = "{Message}{NewLine}"})
      .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1min});
}

/// A logger that handles fatal signals and is never closed.
cairn::Logger& rescued(cairn::Configuration&& config, cairn::FatalSignalOptions options = {}) {
  config.on_internal_error([](std::string_view) {}).handle_fatal_signals(std::move(options));
  return *new cairn::Logger(config.create_logger());
}
cairn::Logger& rescued(const std::string& path) {
  cairn::Configuration config;
  config.write_to(lines_to(path));
  return rescued(std::move(config));
}

void log_numbers(const cairn::Logger& log) {
  for (int i = 0; i < count; ++i) log.information("{N}", i);
}

class P3Signal : public testing::TestWithParam<int> {};

TEST_P(P3Signal, in_the_program_is_died_of_after_everything_is_delivered) {
  const LogFolder folder;
  EXPECT_EQ(dying([&] {
              log_numbers(rescued(folder.path("a.log")));
              crash_by(GetParam());
            }),
            128 + GetParam());
  EXPECT_EQ(folder.read("a.log"), numbers(count));
}

TEST_P(P3Signal, that_was_sent_is_died_of_after_everything_is_delivered) {
  const LogFolder folder;
  EXPECT_EQ(dying([&] {
              log_numbers(rescued(folder.path("a.log")));
              ::kill(::getpid(), GetParam());
              while (true) ::pause();
            }),
            128 + GetParam());
  EXPECT_EQ(folder.read("a.log"), numbers(count));
}

/// As if the kernel had chosen that thread for a signal that was sent to the process by sigqueue().
void send_to_the_process_by(pid_t thread, int signal) {
  siginfo_t info{};
  info.si_signo = signal;
  info.si_code = SI_QUEUE;
  info.si_pid = ::getpid();
  info.si_uid = ::getuid();
  if (::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), thread, signal, &info) != 0) std::abort();
}

TEST_P(P3Signal, that_was_sent_and_comes_to_a_sinks_thread_lets_that_thread_go_on) {
  const LogFolder folder;
  EXPECT_EQ(dying([&] {
              cairn::Configuration config;
              config.write_to(lines_to(folder.path("a.log")));
              config
                  .write_to_callback([signal = GetParam(), out = std::make_shared<std::ofstream>(
                                                               folder.path("own.log"))](const cairn::Event& event) {
                    const auto number = *event.property("N")->as_int64();
                    if (number == 700) send_to_the_process_by(::gettid(), signal);
                    *out << number << std::endl;
                  })
                  .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1min});
              const cairn::Logger& log = rescued(std::move(config));
              for (int i = 0; i < 701; ++i) log.information("{N}", i);
              while (true) ::pause();
            }),
            128 + GetParam());
  EXPECT_EQ(folder.read("a.log"), numbers(701));
  EXPECT_EQ(folder.read("own.log"), numbers(701));
}

TEST_P(P3Signal, that_was_sent_and_comes_to_the_thread_that_rescues_is_died_of_after_everything_is_delivered) {
  const LogFolder folder;
  EXPECT_EQ(dying([&] {
              std::promise<void> released;
              auto release = released.get_future().share();
              cairn::Configuration config;
              config
                  .write_to_callback([release, out = std::make_shared<std::ofstream>(folder.path("own.log"))](
                                         const cairn::Event& event) {
                    release.wait();
                    *out << *event.property("N")->as_int64() << std::endl;
                  })
                  .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1min});
              const cairn::Logger& log = rescued(std::move(config));
              for (int i = 0; i < 100; ++i) log.information("{N}", i);
              pid_t rescuer = 0;
              while (rescuer == 0) {  // it may not have named itself yet
                for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
                  std::string name;
                  std::ifstream(task.path() / "comm") >> name;
                  if (name == "cairn-rescue") rescuer = std::stoi(task.path().filename());
                }
              }
              send_to_the_process_by(rescuer, GetParam());
              released.set_value();
              while (true) ::pause();
            }),
            128 + GetParam());
  EXPECT_EQ(folder.read("own.log"), numbers(100));
}

TEST_P(P3Signal, in_a_sinks_thread_costs_the_others_nothing_and_its_own_events_are_kept) {
  const LogFolder folder;
  EXPECT_EQ(dying([&] {
              cairn::Configuration config;
              config.write_to(lines_to(folder.path("a.log")));
              config
                  .write_to_callback([signal = GetParam()](const cairn::Event& event) {
                    if (event.property("N")->as_int64() == 700) crash_by(signal);
                  })
                  .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1min});
              log_numbers(rescued(std::move(config), {.crash_file = folder.path("crash.clef")}));
              while (true) ::pause();
            }),
            128 + GetParam());
  // Of what was logged when it crashed, everything: the numbers are those of a prefix.
  std::istringstream healthy(folder.read("a.log"));
  int next = 0;
  for (int number = 0; healthy >> number; ++next) ASSERT_EQ(number, next);
  EXPECT_GT(next, 700);
  std::set<int> kept;
  std::istringstream crash(folder.read("crash.clef"));
  for (std::string line; std::getline(crash, line);) kept.insert(nlohmann::json::parse(line)["N"].get<int>());
  ASSERT_TRUE(kept.contains(700)) << "the event it crashed with";
  EXPECT_EQ(*kept.rbegin() - *kept.begin() + 1, static_cast<int>(kept.size())) << "without a gap";
}
TEST_P(P3Signal, that_was_sent_and_comes_to_the_thread_of_periodic_metrics_lets_that_thread_go_on) {
  const LogFolder folder;
  EXPECT_EQ(dying([&] {
              cairn::Configuration config;
              config.periodic_metrics(10ms).write_to_callback([&, sent = false](const cairn::Event&) mutable {
                if (std::exchange(sent, true)) return;
                send_to_the_process_by(::gettid(), GetParam());
                std::ofstream(folder.path("a.log")) << "went on" << std::endl;
              });
              rescued(std::move(config));
              while (true) ::pause();
            }),
            128 + GetParam());
  EXPECT_EQ(folder.read("a.log"), "went on\n");
}

TEST(P3OwnThread, is_that_of_a_shutdown_handler) {
  bool own = false;
  const auto log = cairn::Configuration{}.write_to_null().create_logger();
  (void)log.on_shutdown([&] { own = cairn::detail::on_own_thread(); });
  (void)log.close();
  EXPECT_TRUE(own) << "a signal that is sent to the process would stop it there";
}

INSTANTIATE_TEST_SUITE_P(Each, P3Signal, testing::Values(SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT),
                         [](const auto& each) { return std::string(::sigabbrev_np(each.param)); });

TEST(P3Crash, of_a_sink_with_a_fallback_hands_its_events_on) {
  const LogFolder folder;
  EXPECT_EQ(dying([&] {
              cairn::Configuration config;
              config.write_to_callback([](const cairn::Event&) { crash_by(SIGSEGV); })
                  .with_queue()
                  .with_fallback(lines_to(folder.path("fallback.log")));
              rescued(std::move(config)).information("0");
              while (true) ::pause();
            }),
            128 + SIGSEGV);
  EXPECT_EQ(folder.read("fallback.log"), numbers(1));
}

TEST(P3Crash, of_a_synchronous_fallback_costs_the_others_nothing_and_what_it_was_to_get_is_kept) {
  class BrokenSink final : public cairn::Sink {
    cairn::EmitResult emit(std::span<const cairn::Event>) override {
      return {0, 0, std::make_error_code(std::errc::broken_pipe)};
    }
  };
  constexpr int few = 20;
  const LogFolder folder;
  EXPECT_EQ(dying([&] {
              std::promise<void> logged;
              auto all = logged.get_future().share();
              cairn::Configuration config;
              config.write_to(std::make_shared<BrokenSink>(), "broken")
                  .with_queue()
                  .with_fallback(cairn::SinkSpec::callback([all](const cairn::Event& event) {
                    all.wait();
                    if (event.property("N")->as_int64() == 3) crash_by(SIGSEGV);
                  }));
              config.write_to(cairn::SinkSpec::file(folder.path("a.log"),
                                                    {.output_template = "{Message}{NewLine}", .buffered = true})
                                  .with_queue({.flush_interval = 1min}));
              const cairn::Logger& log = rescued(std::move(config), {.crash_file = folder.path("crash.clef")});
              for (int i = 0; i < few; ++i) log.information("{N}", i);
              logged.set_value();
              while (true) ::pause();
            }),
            128 + SIGSEGV);
  EXPECT_EQ(folder.read("a.log"), numbers(few));
  std::string kept;
  std::istringstream crash(folder.read("crash.clef"));
  for (std::string line; std::getline(crash, line);)
    kept += std::to_string(nlohmann::json::parse(line)["N"].get<int>()) + '\n';
  EXPECT_EQ("0\n1\n2\n" + kept, numbers(few)) << "with the event that it crashed with";
}

TEST(P3Crash, in_a_sinks_thread_delivers_where_the_program_has_all_signals_blocked) {
  const LogFolder folder;
  EXPECT_EQ(dying([&] {
              sigset_t all;
              sigfillset(&all);
              sigdelset(&all, SIGALRM);
              ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
              std::promise<void> logged;
              auto whole = logged.get_future().share();
              cairn::Configuration config;
              config.write_to(lines_to(folder.path("a.log")));
              config
                  .write_to_callback([whole](const cairn::Event&) {
                    whole.wait();
                    crash_by(SIGSEGV);
                  })
                  .with_queue({.overflow = cairn::Overflow::block, .block_timeout = 1min});
              log_numbers(rescued(std::move(config)));
              logged.set_value();
              while (true) ::pause();
            }),
            128 + SIGSEGV);
  EXPECT_EQ(folder.read("a.log"), numbers(count));
}

TEST(P3Crash, in_a_filter_delivers_the_events_behind_it_too) {
  const LogFolder folder;
  EXPECT_EQ(dying([&] {
              cairn::Configuration config;
              static std::atomic<bool> all_logged{false};
              config.filter_by([](const cairn::Event& event) {
                if (event.property("N")->as_int64() == 3) {
                  while (!all_logged) std::this_thread::yield();
                  crash_by(SIGSEGV);
                }
                return true;
              });
              config.write_to(lines_to(folder.path("a.log")));
              const cairn::Logger& log = rescued(std::move(config));
              for (int i = 0; i < 100; ++i) log.information("{N}", i);
              all_logged = true;
              while (true) ::pause();
            }),
            128 + SIGSEGV);
  EXPECT_EQ(folder.read("a.log"), numbers(100));
}

TEST(P3Crash, in_a_sinks_own_filter_delivers_the_events_behind_it_and_to_the_sinks_behind_it) {
  const LogFolder folder;
  EXPECT_EQ(dying([&] {
              cairn::Configuration config;
              static std::atomic<bool> all_logged{false};
              const auto filter = [](const cairn::Event& event) -> bool {
                const std::int64_t number = event.property("N")->as_int64().value_or(0);
                if (number == 57) {
                  while (!all_logged) std::this_thread::yield();
                  crash_by(SIGSEGV);
                }
                return number % 10 != 3;
              };
              config.write_to(lines_to(folder.path("before.log")));
              config.write_to(lines_to(folder.path("filtered.log")).with_filter(filter));
              config.write_to(lines_to(folder.path("behind.log")));
              const cairn::Logger& log = rescued(std::move(config));
              for (int i = 0; i < 1000; ++i) log.information("{N}", i);
              all_logged = true;
              while (true) ::pause();
            }),
            128 + SIGSEGV);
  EXPECT_EQ(folder.read("before.log"), numbers(1000));
  EXPECT_EQ(folder.read("behind.log"), numbers(1000));
  std::string filtered;
  for (int i = 0; i < 1000; ++i) filtered += i < 57 && i % 10 == 3 ? std::string() : std::to_string(i) + '\n';
  EXPECT_EQ(folder.read("filtered.log"), filtered);
}

TEST(P3Crash, by_a_used_up_stack_delivers_everything) {
  for (const bool in_main : {true, false}) {
    const LogFolder folder;
    EXPECT_EQ(dying([&] {
                const cairn::Logger& log = rescued(folder.path("a.log"));
                const auto overflow = [&] {
                  log_numbers(log);
                  volatile char here = 0;
                  use_up_the_stack(&here);
                };
                if (in_main) overflow();
                std::thread(overflow).join();
              }),
              128 + SIGSEGV);
    EXPECT_EQ(folder.read("a.log"), numbers(count));
  }
}

TEST(P3Crash, of_two_threads_at_once_ends_by_one_of_their_signals) {
  const LogFolder folder;
  const int status = dying([&] {
    log_numbers(rescued(folder.path("a.log")));
    std::thread other([] { crash_by(SIGFPE); });
    crash_by(SIGSEGV);
  });
  EXPECT_THAT(status, testing::AnyOf(128 + SIGSEGV, 128 + SIGFPE));
  EXPECT_EQ(folder.read("a.log"), numbers(count));
}

TEST(P3Crash, writes_what_a_synchronous_file_holds_back) {
  const LogFolder folder;
  EXPECT_EQ(dying([&] {
              cairn::Configuration config;
              config.write_to_file(folder.path("a.log"), {.output_template = "{Message}{NewLine}", .buffered = true});
              rescued(std::move(config)).information("0");
              crash_by(SIGSEGV);
            }),
            128 + SIGSEGV);
  EXPECT_EQ(folder.read("a.log"), numbers(1));
}

TEST(P3Crash, calls_the_handler_that_was_there_before) {
  const LogFolder folder;
  for (const int signal : {SIGSEGV, SIGABRT, SIGUSR2}) {
    const bool fatal = signal != SIGUSR2;
    EXPECT_EQ(dying([&] {
                struct sigaction before {};
                before.sa_sigaction = [](int, siginfo_t* info, void*) { ::_exit(info->si_addr == nullptr ? 42 : 43); };
                before.sa_flags = SA_SIGINFO;
                ::sigaction(signal, &before, nullptr);
                log_numbers(rescued(folder.path(std::to_string(signal))));
                if (fatal) crash_by(signal);
                ::_exit(44);
              }),
              fatal ? (signal == SIGABRT ? 43 : 42) : 44);
    if (fatal) {
      EXPECT_EQ(folder.read(std::to_string(signal)), numbers(count));
    }
  }
}

TEST(P3Crash, leaves_a_core_where_there_would_be_one) {
  bool dumped[2]{};
  for (const bool handled : {false, true}) {
    const LogFolder folder;
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(60);
      if (::chdir(folder.path().c_str()) != 0) ::_exit(1);
      rlimit most{};
      ::getrlimit(RLIMIT_CORE, &most);
      most.rlim_cur = most.rlim_max;
      ::setrlimit(RLIMIT_CORE, &most);
      if (handled) rescued(folder.path("a.log")).information("0");
      crash_by(SIGSEGV);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), SIGSEGV);
    dumped[handled ? 1 : 0] = WCOREDUMP(status);
  }
  EXPECT_EQ(dumped[1], dumped[0]);
}

TEST(P4Terminate, by_an_exception_that_nobody_catches_delivers_everything_and_aborts) {
  const LogFolder folder;
  EXPECT_EQ(dying([&] {
              log_numbers(rescued(folder.path("a.log")));
              std::thread([] { throw std::runtime_error("nobody catches it"); }).join();
            }),
            128 + SIGABRT);
  EXPECT_EQ(folder.read("a.log"), numbers(count));
}

TEST(P4Terminate, calls_the_terminate_handler_that_was_there_before) {
  const LogFolder folder;
  EXPECT_EQ(dying([&] {
              std::set_terminate([] { ::_exit(42); });
              log_numbers(rescued(folder.path("a.log")));
              std::terminate();
            }),
            42);
  EXPECT_EQ(folder.read("a.log"), numbers(count));
}

TEST(P3Configuration, is_refused_with_a_crash_file_that_cannot_be_opened) {
  EXPECT_EQ(
      dying([] {
        cairn::Configuration config;
        config.handle_fatal_signals({.crash_file = "/nowhere/crash.clef"}).write_to_null();
        const auto made = config.try_create_logger();
        const auto* error = std::get_if<cairn::ConfigurationError>(&made);
        ::_exit(error != nullptr && error->problems().at(0).find("/nowhere/crash.clef") != std::string::npos ? 0 : 1);
      }),
      0);
}

TEST(P3Configuration, tells_of_faults_that_the_thread_has_blocked) {
  EXPECT_EQ(dying([] {
              const auto told = [] {
                std::string what;
                cairn::Configuration config;
                config.on_internal_error([&](std::string_view text) { what += text; }).handle_fatal_signals();
                config.write_to_null();
                (void)config.create_logger().close();
                return what;
              };
              if (!told().empty()) ::_exit(1);
              sigset_t blocked;
              sigemptyset(&blocked);
              sigaddset(&blocked, SIGSEGV);
              sigaddset(&blocked, SIGFPE);
              ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
              ::_exit(told().find("SIGSEGV, SIGFPE") != std::string::npos ? 0 : 2);
            }),
            0);
}

TEST(P3Configuration, tells_of_it_where_who_is_told_may_make_and_use_loggers) {
  EXPECT_EQ(dying([] {
              ::alarm(20);
              sigset_t blocked;
              sigemptyset(&blocked);
              sigaddset(&blocked, SIGSEGV);
              ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
              const auto sink = std::make_shared<cairn::MemorySink>();
              cairn::Configuration config;
              config.on_internal_error([&](std::string_view what) {
                cairn::Configuration inner;
                inner.on_internal_error([](std::string_view) {}).handle_fatal_signals().write_to(sink, "memory");
                inner.create_logger().warning("{What}", what);
              });
              config.handle_fatal_signals().write_to_null();
              (void)config.create_logger().close();
              ::_exit(sink->events().size() == 1 ? 0 : 1);
            }),
            0);
}

}  // namespace
