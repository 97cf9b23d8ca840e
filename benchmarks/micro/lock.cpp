// What a sink's lock costs where nobody else wants it.
#include <benchmark/benchmark.h>

#include <mutex>
#include <thread>

#include "platform/timed_lock.hpp"

namespace {

template <class Lock>
void uncontended(benchmark::State& state) {
  std::thread([] {}).join();  // a process with threads: the C library leaves out what one without does not need
  Lock lock;
  for (auto _ : state) {
    const std::lock_guard held(lock);
    benchmark::ClobberMemory();
  }
}
void lock_timed_mutex(benchmark::State& state) { uncontended<std::timed_mutex>(state); }
void lock_timed_lock(benchmark::State& state) { uncontended<cairn::detail::TimedLock>(state); }
BENCHMARK(lock_timed_mutex);
BENCHMARK(lock_timed_lock);

}  // namespace
