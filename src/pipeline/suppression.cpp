#include "pipeline/suppression.hpp"

namespace cairn::detail {

namespace {
constinit thread_local SuppressionScope* innermost = nullptr;
}  // namespace

// Counts are relaxed throughout: each is a number by itself, and an exchange loses none that another thread adds.

SuppressionScope::SuppressionScope() noexcept : outer_(innermost) { innermost = this; }

SuppressionScope::~SuppressionScope() {
  innermost = outer_;
  for (std::size_t i = 0; i < count_; ++i) {
    if (!notes_[i].passed) notes_[i].suppressed->fetch_add(1, std::memory_order_relaxed);
  }
}

std::uint64_t SuppressionScope::take() noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    sum += notes_[i].suppressed->exchange(0, std::memory_order_relaxed);
    notes_[i].owner.reset();
  }
  count_ = 0;
  return sum;
}

void note_sampling(const std::shared_ptr<void>& owner, std::atomic<std::uint64_t>& suppressed, bool passed) noexcept {
  if (passed && suppressed.load(std::memory_order_relaxed) == 0) return;  // there is nothing to tell
  SuppressionScope* scope = innermost;
  if (scope != nullptr && scope->count_ < SuppressionScope::max_notes) {
    scope->notes_[scope->count_++] = {owner, &suppressed, passed};
  } else if (!passed) {
    suppressed.fetch_add(1, std::memory_order_relaxed);  // a pass that cannot be noted leaves the count for the next
  }
}

void SuppressionMark::set(PropertyBlock& extras, std::uint64_t count, std::atomic<std::uint64_t>& untold) noexcept {
  before_ = suppressed_count(&extras);
  try {
    set_suppressed_count(extras, before_ + count);
    extras_ = &extras;
  } catch (...) {  // no memory
    untold.fetch_add(count, std::memory_order_relaxed);
  }
}

void SuppressionMark::take_back() noexcept {
  try {
    set_suppressed_count(*extras_, before_);
  } catch (...) {  // no memory: the next sink is told the sum
  }
}

}  // namespace cairn::detail
