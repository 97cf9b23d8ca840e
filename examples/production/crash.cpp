// Three ends that no shutdown() comes before: a fatal signal, SIGTERM, and a fork whose child only exits.
#include <cairn/all.hpp>
#include <cairn/signals.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace {

int lines_of(const char* path) {
  std::ifstream file(path);
  int lines = 0;
  for (std::string line; std::getline(file, line);) ++lines;
  return lines;
}

void log_some(const cairn::Logger& log) {
  for (int number = 0; number < 100; ++number) log.information("Event {Number}", number);
}

/// Ends by a fatal signal, with events in the queue.
void crashes() {
  const auto log = cairn::Configuration{}
                       .handle_fatal_signals({.crash_file = "crash.clef"})
                       .write_to_file("fatal.clef")
                       .with_queue()
                       .create_logger();
  log_some(log);
  std::raise(SIGABRT);
}

/// Is told to end, and does what main() does when it is.
void is_terminated() {
  cairn::start_signal_thread();
  std::signal(SIGTERM, [](int) { cairn::request_shutdown_from_signal(); });
  const auto log = cairn::Configuration{}.write_to_file("term.clef").with_queue().create_logger();
  log_some(log);
  std::raise(SIGTERM);
  while (log.is_enabled(cairn::Level::fatal)) ::usleep(1000);  // the work of the program; its loop ends when that does
  std::exit(0);                                                // waits for the shutdown that was asked for
}

/// Forks with events in the queue: they stay the parent's, and the child logs for itself.
void forks() {
  const auto log = cairn::Configuration{}.write_to_file("fork.clef").create_logger();
  log_some(log);
  const pid_t child = ::fork();
  if (child == 0) {
    log.information("from the child, {Pid}", ::getpid());
    std::exit(0);
  }
  ::waitpid(child, nullptr, 0);
  log.information("from the parent");
  std::exit(0);
}

/// How a child that runs it ends.
std::string end_of(void (*run)()) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    run();
    std::exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                             : "status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

int main() {
  const std::string by_signal = end_of(crashes);
  std::printf("SIGABRT: ended by %s, %d of 100 events written\n", by_signal.c_str(), lines_of("fatal.clef"));
  const std::string asked = end_of(is_terminated);
  std::printf("SIGTERM: ended by %s, %d of 100 events written\n", asked.c_str(), lines_of("term.clef"));
  const std::string forked = end_of(forks);
  std::printf("fork: ended by %s, %d events: 100, one of the child, one more\n", forked.c_str(), lines_of("fork.clef"));
}
