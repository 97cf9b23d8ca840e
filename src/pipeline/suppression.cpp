#include "pipeline/suppression.hpp"

#include <limits>
#include <string_view>

#include "capture/event_parts.hpp"

namespace cairn::detail {

namespace {
constinit thread_local SuppressionScope* innermost = nullptr;
constexpr std::string_view property_name = "SuppressedCount";
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

std::uint64_t suppressed_before(const Event& event) noexcept {
  const PropertyBlock* const extras = EventParts::extras(event);
  if (extras == nullptr || extras->empty()) return 0;
  Value count;
  if (!extras->find(property_name, std::numeric_limits<std::int64_t>::min(), count)) return 0;
  return count.as_uint64().value_or(0);
}

void SuppressionMark::set(PropertyBlock& extras, std::uint64_t count) noexcept {
  if (Value before; extras.find(property_name, std::numeric_limits<std::int64_t>::min(), before)) {
    before_ = before.as_uint64().value_or(0);
  }
  try {
    extras.replace(property_name, OwnedValue(before_ + count).view());
    extras_ = &extras;
  } catch (...) {  // no memory to tell it
  }
}

void SuppressionMark::take_back() noexcept {
  try {
    if (before_ == 0) {
      extras_->remove_name(property_name);
    } else {
      extras_->replace(property_name, OwnedValue(before_).view());
    }
  } catch (...) {  // no memory: the next sink is told the sum
  }
}

}  // namespace cairn::detail
