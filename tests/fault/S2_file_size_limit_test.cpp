// S2: the limit of file sizes. A write past it is an error and never the end of the process, whoever sets the limit and
// whenever; and what the program itself wants of SIGXFSZ stays as it is.
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>

#include "platform/file_size_signal.hpp"
#include "support/in_child.hpp"
#include "support/log_folder.hpp"
#include "support/scripted_file_ops.hpp"

namespace {
using namespace cairn;
using namespace cairn::detail;
using namespace cairn::testing;
using namespace std::chrono_literals;

constexpr int killed_by_signal = 128 + SIGXFSZ;

bool limit_file_size(rlim_t bytes, pid_t process = 0) {
  const struct rlimit limit { bytes, RLIM_INFINITY };
  return ::prlimit(process, RLIMIT_FSIZE, &limit, nullptr) == 0;
}

void forget_core_files() {  // a signal that kills would leave one
  const struct rlimit none {};
  ::setrlimit(RLIMIT_CORE, &none);
}

/// Another process sets the limit of this one.
void limit_from_outside(rlim_t bytes) {
  const pid_t outside = ::fork();
  if (outside == 0) ::_exit(limit_file_size(bytes, ::getppid()) ? 0 : 1);
  int status = 0;
  ::waitpid(outside, &status, 0);
}

bool is_pending(int signal) {
  sigset_t pending;
  ::sigpending(&pending);
  return ::sigismember(&pending, signal) == 1;
}

void block(int signal) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, signal);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

/// The program's own write past the limit.
void write_past_the_limit(const LogFolder& folder) {
  const int fd = ::open(folder.path("own").c_str(), O_WRONLY | O_CREAT, 0600);
  limit_file_size(0);
  (void)!::write(fd, "x", 1);
}

volatile sig_atomic_t handled = 0;
void count_signal(int) { handled = handled + 1; }

TEST(S2FileSizeLimit, is_an_error_and_not_the_end_of_the_process) {
  LogFolder folder;
  const int status = in_child([&] {
    ManualClock clock;
    RollingFile file(folder.path("app.log"), {}, system_file_ops(), clock);
    if (!limit_file_size(10)) return 1;
    const AppendResult result = append(
        file, Lines{}.add("one", clock.wall).add("two", clock.wall).add("3", clock.wall).add("four", clock.wall));
    if (result.units_written != 3 || !retryable(result.error)) return 2;
    if (is_pending(SIGXFSZ)) return 3;
    if (append(file, "four", clock.wall).error.value() != EFBIG) return 4;
    limit_file_size(RLIM_INFINITY);
    return append(file, "four", clock.wall).error ? 5 : 0;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(folder.read("app.log"), "one\ntwo\n3\nfour\n");
}

TEST(S2FileSizeLimit, may_be_set_from_outside_at_the_last_moment) {
  LogFolder folder;
  const int status = in_child([&] {
    ManualClock clock;
    ScriptedFileOps ops;
    RollingFile file(folder.path("app.log"), {}, ops, clock);
    if (append(file, "one", clock.wall).error) return 1;
    ops.script = [](const std::string& call, int) {
      if (call == "write") limit_from_outside(4);
      return 0;
    };
    if (append(file, "two", clock.wall).error.value() != EFBIG) return 2;
    ops.heal();
    limit_file_size(RLIM_INFINITY);
    return append(file, "two", clock.wall).error ? 3 : 0;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(folder.read("app.log"), "one\ntwo\n");
}

TEST(S2FileSizeLimit, ends_the_process_still_where_the_program_writes_past_it_itself) {
  LogFolder folder;
  EXPECT_EQ(in_child([&] {
              forget_core_files();
              ManualClock clock;
              RollingFile file(folder.path("app.log"), {}, system_file_ops(), clock);
              if (append(file, "one", clock.wall).error) return 1;
              write_past_the_limit(folder);
              return 0;
            }),
            killed_by_signal);
  EXPECT_EQ(folder.read("app.log"), "one\n");
}

TEST(S2FileSizeLimit, signal_that_is_sent_on_purpose_kills_outside_of_a_write_and_inside) {
  LogFolder folder;
  EXPECT_EQ(in_child([&] {
              forget_core_files();
              ManualClock clock;
              RollingFile file(folder.path("app.log"), {}, system_file_ops(), clock);
              ::raise(SIGXFSZ);
              return 0;
            }),
            killed_by_signal);
  EXPECT_EQ(in_child([&] {
              forget_core_files();
              ManualClock clock;
              ScriptedFileOps ops;
              RollingFile file(folder.path("app.log"), {}, ops, clock);
              ops.script = [](const std::string& call, int) {
                if (call == "write") ::raise(SIGXFSZ);
                return 0;
              };
              (void)append(file, "one", clock.wall);
              return 0;
            }),
            killed_by_signal);
}

TEST(S2FileSizeLimit, handler_of_the_program_is_called_for_its_own_writes_alone) {
  LogFolder folder;
  const auto body = [&](bool before_the_file) {
    handled = 0;
    ManualClock clock;
    if (before_the_file) ::signal(SIGXFSZ, count_signal);
    RollingFile file(folder.path("app.log"), {}, system_file_ops(), clock);
    if (append(file, "one", clock.wall).error) return 1;
    if (!before_the_file) {
      ::signal(SIGXFSZ, count_signal);
      clock.pass(1s);  // when the file looks around
    }
    limit_file_size(4);
    if (append(file, "two", clock.wall).error.value() != EFBIG) return 2;
    if (handled != 0 || is_pending(SIGXFSZ)) return 3;
    write_past_the_limit(folder);
    if (handled != 1) return 4;
    limit_file_size(RLIM_INFINITY);
    return append(file, "two", clock.wall).error ? 5 : 0;
  };
  EXPECT_EQ(in_child([&] { return body(true); }), 0);
  EXPECT_EQ(in_child([&] { return body(false); }), 0);
}

TEST(S2FileSizeLimit, signal_that_the_program_ignores_stays_ignored) {
  LogFolder folder;
  EXPECT_EQ(in_child([&] {
              ::signal(SIGXFSZ, SIG_IGN);
              ManualClock clock;
              RollingFile file(folder.path("app.log"), {}, system_file_ops(), clock);
              limit_file_size(0);
              if (append(file, "one", clock.wall).error.value() != EFBIG) return 1;
              struct sigaction now {};
              ::sigaction(SIGXFSZ, nullptr, &now);
              return now.sa_handler == SIG_IGN ? 0 : 2;
            }),
            0);
}

TEST(S2FileSizeLimit, of_a_thread_that_holds_the_signal_back_leaves_nothing_behind) {
  LogFolder folder;
  EXPECT_EQ(in_child([&] {
              block(SIGXFSZ);
              ManualClock clock;
              RollingFile file(folder.path("app.log"), {}, system_file_ops(), clock);
              limit_file_size(0);
              if (append(file, "one", clock.wall).error.value() != EFBIG) return 1;
              return is_pending(SIGXFSZ) ? 2 : 0;
            }),
            0);
  EXPECT_EQ(in_child([&] {
              block(SIGXFSZ);
              ManualClock clock;
              RollingFile file(folder.path("app.log"), {}, system_file_ops(), clock);
              ::raise(SIGXFSZ);  // the program's, and waiting
              limit_file_size(0);
              if (append(file, "one", clock.wall).error.value() != EFBIG) return 1;
              return is_pending(SIGXFSZ) ? 0 : 2;
            }),
            0);
}

TEST(S2FileSizeLimit, is_not_asked_for_since_a_warm_append_makes_no_system_call_but_its_write) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "NOT TESTED: a sanitizer makes system calls of its own";
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "NOT TESTED: a sanitizer makes system calls of its own";
#endif
#endif
  LogFolder folder;
  EXPECT_EQ(in_child([&] {
              ManualClock clock;
              RollingFile file(folder.path("app.log"), {}, system_file_ops(), clock);
              const Lines line = Lines{}.add("one", clock.wall);
              if (append(file, line).error) return 1;
              if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) return 77;
              bool failed = false;  // from here on any call but read, write and exit kills
              for (int i = 0; i < 3; ++i) failed = failed || append(file, line).error;
              ::syscall(SYS_exit, failed ? 2 : 0);
              return 3;
            }),
            0);
  EXPECT_EQ(folder.read("app.log"), "one\none\none\none\n");
}
}  // namespace
