// Who reads metrics may have a higher priority than a thread it interrupts in the middle of an account, on its own
// core.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <thread>

namespace {

using namespace std::chrono_literals;

bool on_this_core_alone() {
  cpu_set_t core;
  CPU_ZERO(&core);
  CPU_SET(sched_getcpu(), &core);
  return pthread_setaffinity_np(pthread_self(), sizeof core, &core) == 0;
}

TEST(MetricsPriority, a_real_time_reader_lets_the_thread_go_on_that_it_interrupted) {
  bool permitted = true;
  int slow = 0;
  // Threads of its own: what is set for them ends with them.
  std::thread([&] {
    permitted = on_this_core_alone();
    const auto log = cairn::Configuration{}.write_to_null().create_logger();
    std::atomic<bool> stop = false;
    std::thread logs([&] {
      while (!stop) log.information("Counted {N}", 1);
    });
    std::thread reads([&] {
      const sched_param low{.sched_priority = 1};
      permitted = permitted && pthread_setschedparam(pthread_self(), SCHED_FIFO, &low) == 0;
      for (int i = 0; permitted && i < 500 && slow < 4; ++i) {
        std::this_thread::sleep_for(200us);
        const auto began = std::chrono::steady_clock::now();
        (void)log.metrics();
        if (std::chrono::steady_clock::now() - began > 400ms) ++slow;
      }
    });
    reads.join();
    stop = true;
    logs.join();
  }).join();
  if (!permitted) GTEST_SKIP() << "real-time priorities are not permitted here";
  EXPECT_LT(slow, 4) << "a reading kept the core to itself, until the kernel took it away";
}

}  // namespace
