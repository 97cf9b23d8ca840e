// A process that is killed loses nothing: the next start delivers what it had logged.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cairn/all.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>

namespace {

/// As slow as a disk may be: it never comes back.
class StuckSink final : public cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event>) override {
    for (;;) ::pause();
  }
};

cairn::CrashRingOptions ring() {
  return {.application = "example", .folder = std::filesystem::current_path().string()};
}

}  // namespace

int main() {
  if (::fork() == 0) {
    cairn::Configuration config;
    config.write_to(std::make_shared<StuckSink>(), "stuck").with_queue();
    const auto log = config.with_crash_ring(ring()).create_logger();
    for (int i = 0; i < 100; ++i) log.information("Order {OrderId} placed", i);
    ::kill(::getpid(), SIGKILL);
  }
  ::wait(nullptr);

  cairn::Configuration config;
  config.write_to_file("orders.clef").with_queue();
  const auto log = config.with_crash_ring(ring()).create_logger();
  const auto recovered = log.metrics().logger.recovered;
  log.close();
  std::printf("%llu events of the process that was killed are in orders.clef\n",
              static_cast<unsigned long long>(recovered));
  return recovered == 100 ? 0 : 1;
}
