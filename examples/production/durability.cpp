// What is on the disk when a process is killed: by a synchronous file everything, by a queued one what was flushed. And
// the torn line that a kill leaves is gone once the file is opened again.
#include <cairn/all.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>

namespace {

int lines_of(const char* path) {
  std::ifstream file(path);
  int lines = 0;
  for (std::string line; std::getline(file, line);) ++lines;
  return lines;
}

/// Logs to three files, then lives until it is killed.
[[noreturn]] void work(int ready) {
  const auto synchronous = cairn::Configuration{}.write_to_file("synchronous.clef").create_logger();
  const auto durable =
      cairn::Configuration{}.write_to_file("durable.clef", {.durable = cairn::Durable::batch}).create_logger();
  const auto queued = cairn::Configuration{}.write_to_file("queued.clef").with_queue().create_logger();
  for (int number = 0; number < 100; ++number) {
    synchronous.information("Event {Number}", number);
    durable.information("Event {Number}", number);
    queued.information("Event {Number}", number);
  }
  const bool flushed = queued.flush().status == cairn::FlushStatus::ok;  // what was logged up to here is in the file
  const char told = flushed ? 'y' : 'n';
  if (::write(ready, &told, 1) != 1) std::_Exit(1);
  while (true) ::pause();
}

}  // namespace

int main() {
  int ends[2];
  if (::pipe(ends) != 0) return 1;
  const pid_t child = ::fork();
  if (child == 0) work(ends[1]);
  char told = 'n';
  if (::read(ends[0], &told, 1) != 1) return 1;
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  std::printf("killed; flush said %s\n", told == 'y' ? "ok" : "NO");
  std::printf("synchronous: %d of 100\n", lines_of("synchronous.clef"));
  std::printf("synchronous, on the disk after each event: %d of 100\n", lines_of("durable.clef"));
  std::printf("queued, flushed: %d of 100\n", lines_of("queued.clef"));

  std::ofstream("queued.clef", std::ios::app) << R"({"@t":"2026-01-31T17:05:09Z","@mt":"tor)";  // killed while it wrote
  const auto log = cairn::Configuration{}.write_to_file("queued.clef").create_logger();
  log.information("Started again");
  std::printf("with a torn line, opened again, one more: %d whole lines\n", lines_of("queued.clef"));
}
