#include "cairn/detail/scratch_value.hpp"

#include "capture/thread_state.hpp"

namespace cairn::detail {

CaptureBuffer* ScratchValue::lend() noexcept {
  ThreadState* thread = thread_state();
  if (thread == nullptr || thread->scratch_lent) return nullptr;
  thread->scratch_lent = true;
  return &thread->scratch;
}

void ScratchValue::give_back() noexcept {
  constexpr std::size_t most_kept = 64 * 1024;  // one huge value does not stay with the thread for ever
  ThreadState* thread = thread_state();
  thread->scratch_lent = false;
  if (thread->scratch.capacity > most_kept) thread->scratch.free();
}

}  // namespace cairn::detail
