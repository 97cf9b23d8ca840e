#include "lifecycle/rescue.hpp"

#include <algorithm>
#include <utility>

#include "lifecycle/signal_thread.hpp"
#include "logger/root.hpp"
#include "platform/futex.hpp"

namespace cairn::detail {

namespace {

constexpr std::chrono::nanoseconds to_deliver = std::chrono::seconds(2);  // of the 3 s that the handler waits
constexpr auto to_wait_in_turn = to_deliver / 10;
constexpr auto to_wait_for_writers = to_deliver / 5 * 4;

}  // namespace

Rescue::Rescue(std::vector<Root*> roots, std::thread::id crashed, std::size_t threads)
    : roots_(std::move(roots)), crashed_(crashed), threads_(threads), over_(roots_.size() + 1) {}

void Rescue::take_part() noexcept {
  for (std::size_t part = 0; (part = next_.fetch_add(1, std::memory_order_relaxed)) < over_.size();) {
    wait_for_those_before(part);
    if (part == 0) {
      log_messages_of_handlers();
    } else {
      Root& root = *roots_[part - 1];
      root.deliver_before_death(crashed_, end_of(part));
      root.drop_reference();
    }
    over_[part].store(1, std::memory_order_release);  // pairs with wait_for_those_before
    wake_all(over_[part]);
  }
}

void Rescue::wait_for_those_before(std::size_t part) noexcept {
  const bool has_writers = part != 0 && roots_[part - 1]->has_writers();
  const auto in_turn = to_wait_in_turn * static_cast<std::int64_t>(part) / static_cast<std::int64_t>(over_.size());
  const auto until = begun_ + (has_writers ? to_wait_for_writers : in_turn);
  for (std::size_t before = 0; before < part; ++before) {
    while (over_[before].load(std::memory_order_acquire) == 0) {  // pairs with take_part
      const auto left = until - Steady::now();
      if (left <= Steady::duration(0)) return;
      wait_on(over_[before], 0, left);
    }
  }
}

Rescue::Steady::time_point Rescue::end_of(std::size_t part) const noexcept {
  const auto now = Steady::now();
  const auto left = std::max(begun_ + to_deliver - now, Steady::duration(0));
  const std::size_t rounds = (over_.size() - part + threads_ - 1) / threads_;
  return now + left / static_cast<std::int64_t>(rounds);
}

}  // namespace cairn::detail
