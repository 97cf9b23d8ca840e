// A queue that is too small for its sink, three times: what each overflow policy keeps, and where that shows.
#include <cairn/all.hpp>

#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include "stuck_sink.hpp"

using namespace std::chrono_literals;

namespace {

void try_policy(const char* name, cairn::Overflow overflow) {
  const auto sink = std::make_shared<StuckSink>();
  const auto log = cairn::Configuration{}
                       .write_to(sink, "sink")
                       .with_queue({.max_size = 100, .batch_size = 1, .overflow = overflow, .block_timeout = 10ms})
                       .create_logger();
  log.information("Event {Number}", 0);
  sink->wait_until_stuck();
  const int last = overflow == cairn::Overflow::block ? 100 : 1000;
  for (int number = 1; number <= last; ++number) log.information("Event {Number}", number);
  while (log.metrics().logger.in_lane != 0) std::this_thread::yield();  // all that was taken is in the queue
  sink->open();
  log.flush();

  const cairn::MetricsSnapshot now = log.metrics();
  const auto numbers = sink->numbers();
  std::printf("%s: %d called, %zu written, the last is %lld\n", name, last + 1, numbers.size(),
              static_cast<long long>(numbers.back()));
  for (const auto& [reason, count] : now.sink("sink")->dropped)
    std::printf("  dropped{%s} %llu\n", reason.c_str(), static_cast<unsigned long long>(count));
  for (const auto& [reason, count] : now.logger.rejected)
    std::printf("  rejected{%s} %llu\n", reason.c_str(), static_cast<unsigned long long>(count));
  for (const std::string& gap : sink->others()) std::printf("  in the output: %s\n", gap.c_str());
}

}  // namespace

int main() {
  try_policy("drop_oldest", cairn::Overflow::drop_oldest);
  try_policy("drop_newest", cairn::Overflow::drop_newest);
  try_policy("block", cairn::Overflow::block);
}
