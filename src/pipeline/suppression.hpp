// What sampling filters held back, on its way from the filter that counts to the event that tells.
//
//   SuppressionScope scope;                       // around the filters of one event
//   if (!all_pass(event)) return;                 // the scope ends: the event was held back
//   if (auto count = scope.take()) …              // it passes: it tells what was held back before it
//
// A sampling filter decides nothing alone: one behind it may reject what it passed, an `||` around it may pass what it
// rejected. So within a scope it only notes its verdict, and its count changes when the outcome is known: an event that
// passes takes the counts of all sampling filters it met, and clears them; an event that is held back adds one to each
// that rejected it. A count is told once or kept, never lost.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "cairn/event.hpp"
#include "capture/event_parts.hpp"
#include "capture/property_block.hpp"
#include "capture/suppressed_count.hpp"

namespace cairn::detail {

/// One event's way through a chain of filters on the calling thread. Scopes nest, as a filter may log; each has its own
/// notes.
class SuppressionScope {
 public:
  SuppressionScope() noexcept;
  SuppressionScope(const SuppressionScope&) = delete;
  SuppressionScope& operator=(const SuppressionScope&) = delete;
  /// Without take() before it: the event was held back.
  ~SuppressionScope();

  /// The event passes: how many were held back since the last that did.
  [[nodiscard]] std::uint64_t take() noexcept;

 private:
  friend void note_sampling(const std::shared_ptr<void>& owner, std::atomic<std::uint64_t>& suppressed,
                            bool passed) noexcept;
  struct Note {
    std::shared_ptr<void> owner;  // keeps the count alive
    std::atomic<std::uint64_t>* suppressed = nullptr;
    bool passed = false;
  };
  static constexpr std::size_t max_notes = 8;
  SuppressionScope* outer_;
  std::size_t count_ = 0;
  Note notes_[max_notes];
};

/// A sampling filter's verdict on the event. `owner` holds the count `suppressed`. Outside a scope, where a program
/// calls a filter itself, a rejection counts at once, and what it sums up to is kept for an event that can tell.
void note_sampling(const std::shared_ptr<void>& owner, std::atomic<std::uint64_t>& suppressed, bool passed) noexcept;

/// What the event tells already; or 0.
[[nodiscard]] inline std::uint64_t suppressed_before(const Event& event) noexcept {
  return suppressed_count(EventParts::extras(event));
}

/// Adds `count` to the event's `SuppressedCount` as long as one sink has the event: what that sink's own filter held
/// back is told to it alone. Where there is no memory for that, it is added to `untold`.
class SuppressionMark {
 public:
  SuppressionMark(PropertyBlock& extras, std::uint64_t count, std::atomic<std::uint64_t>& untold) noexcept {
    if (count != 0) [[unlikely]]
      set(extras, count, untold);
  }
  SuppressionMark(const SuppressionMark&) = delete;
  SuppressionMark& operator=(const SuppressionMark&) = delete;
  ~SuppressionMark() {
    if (extras_ != nullptr) [[unlikely]]
      take_back();
  }

 private:
  void set(PropertyBlock& extras, std::uint64_t count, std::atomic<std::uint64_t>& untold) noexcept;
  void take_back() noexcept;
  PropertyBlock* extras_ = nullptr;  // null: there is nothing to take back
  std::uint64_t before_ = 0;
};

}  // namespace cairn::detail
