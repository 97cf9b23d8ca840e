// A limit on what logging may take: a sink that is stuck, a flood of events, and where each of them went.
#include <cairn/all.hpp>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

namespace {

/// Takes nothing until it is let go, as a disk or a peer that hangs.
class StuckSink final : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    open_.wait(false);
    return cairn::EmitResult::all(events);
  }
  void open() {
    open_ = true;
    open_.notify_all();
  }

 private:
  std::atomic<bool> open_{false};
};

}  // namespace

int main() {
  const auto sink = std::make_shared<StuckSink>();
  const auto log = cairn::Configuration{}
                       .memory_budget({.max_bytes = 4 << 20,
                                       .max_event_bytes = 64 << 10,
                                       .on_exceeded =
                                           [](const cairn::MemoryExceeded& what) {
                                             std::printf("logging wanted %llu bytes more than its %llu\n",
                                                         static_cast<unsigned long long>(what.wanted_bytes),
                                                         static_cast<unsigned long long>(what.max_bytes));
                                           }})
                       .write_to(sink, "stuck")
                       .with_queue({.max_size = 100'000})
                       .create_logger();

  const std::string page(100'000, 'x');  // cut to 64 KiB, and flagged
  for (int number = 0; number < 20'000; ++number)
    log.information("Page {Number}: {Text}", number,
                    std::string_view(page).substr(0, number % 100 == 0 ? 100'000 : 500));
  const cairn::MetricsSnapshot full = log.metrics();
  std::printf("in use: %llu bytes, at most %llu of %llu\n", static_cast<unsigned long long>(full.memory.used_bytes),
              static_cast<unsigned long long>(full.memory.peak_bytes),
              static_cast<unsigned long long>(full.memory.max_bytes));

  sink->open();
  if (log.flush(std::chrono::seconds(30)).status != cairn::FlushStatus::ok) return 1;
  const cairn::MetricsSnapshot now = log.metrics();
  const cairn::SinkCounts& counts = *now.sink("stuck");
  std::printf("20000 logged: %llu delivered, %llu dropped by the queue, %llu before it; %llu were cut\n",
              static_cast<unsigned long long>(counts.emitted), static_cast<unsigned long long>(counts.dropped_total()),
              static_cast<unsigned long long>(now.logger.dropped_total()),
              static_cast<unsigned long long>(now.logger.truncated));
  const bool within = now.memory.peak_bytes <= now.memory.max_bytes;
  return within && counts.emitted + counts.dropped_total() + now.logger.dropped_total() == 20'000 ? 0 : 1;
}
