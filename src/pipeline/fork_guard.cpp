#include "pipeline/fork_guard.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <vector>

#include "capture/thread_state.hpp"
#include "pipeline/sink_stage.hpp"

namespace cairn::detail {

namespace {

constexpr auto longest_wait = std::chrono::milliseconds(10);

struct Guarded {
  std::mutex mutex;
  std::vector<SinkStage*> stages;
};
Guarded& guarded() {
  static Guarded* const made = new Guarded;  // never destroyed: a fork may come at any time
  return *made;
}

void before() noexcept {
  guarded().mutex.lock();
  const auto deadline = std::chrono::steady_clock::now() + longest_wait;
  for (SinkStage* stage : guarded().stages) stage->before_fork(deadline);
}
void in_parent() noexcept {
  for (SinkStage* stage : guarded().stages) stage->after_fork(false);
  guarded().mutex.unlock();
}
void in_child() noexcept {
  if (const ThreadState* thread = current_thread_state; thread != nullptr) thread->number.others_are_gone();
  for (SinkStage* stage : guarded().stages) stage->after_fork(true);
  guarded().mutex.unlock();
}

}  // namespace

void guard_against_forks(SinkStage& stage) {
  static const bool hooked = pthread_atfork(&before, &in_parent, &in_child) == 0;
  (void)hooked;
  const std::lock_guard lock(guarded().mutex);
  guarded().stages.push_back(&stage);
}

void forget_in_forks(SinkStage& stage) noexcept {
  const std::lock_guard lock(guarded().mutex);
  std::erase(guarded().stages, &stage);
}

}  // namespace cairn::detail
