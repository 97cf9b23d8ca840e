#include "cairn/top_talkers.hpp"

#include <algorithm>
#include <bit>

#include "text/text_escape.hpp"

namespace cairn {

TopTalkers::TopTalkers(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {
  const std::size_t places = std::bit_ceil(2 * capacity_);
  shift_ = 64U - static_cast<unsigned>(std::bit_width(places) - 1);
  slots_.assign(places, none);
  counts_.reserve(capacity_);
  counters_.reserve(capacity_);
}

void TopTalkers::record(std::uint32_t event_id, std::string_view text, std::uint64_t count) {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = home(event_id); slots_[at] != none; at = (at + 1) & mask) {
    if (counters_[slots_[at]].event_id != event_id) continue;
    counts_[slots_[at]] += count;
    total_ += count;
    return;
  }
  text = text.substr(0, format::utf8_floor(text, max_text));
  std::size_t which = counters_.size();
  if (which < capacity_) {
    counters_.push_back({event_id, 0, std::string(text)});
    counts_.push_back(count);
  } else {  // the least frequent one goes, and who takes its place may have had as many
    which = least();
    Counter& counter = counters_[which];
    counter.text.assign(text);
    leave(static_cast<std::uint32_t>(which));
    counter.event_id = event_id;
    counter.error = counts_[which];
    counts_[which] += count;
  }
  enter(event_id, static_cast<std::uint32_t>(which));
  total_ += count;
}

/// Counts only grow, so the least only grows, too: most searches end at the next counter that still has it.
std::size_t TopTalkers::least() noexcept {
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const std::size_t at = (hand_ + i) % counts_.size();
    if (counts_[at] > floor_) continue;
    hand_ = at + 1;
    return at;
  }
  const auto found = std::min_element(counts_.begin(), counts_.end());
  floor_ = *found;
  hand_ = static_cast<std::size_t>(found - counts_.begin()) + 1;
  return hand_ - 1;
}

void TopTalkers::enter(std::uint32_t event_id, std::uint32_t counter) noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = home(event_id);
  while (slots_[at] != none) at = (at + 1) & mask;
  slots_[at] = counter;
}

/// Takes a counter's entry out of the table, and moves up those behind it that would not be found any more.
void TopTalkers::leave(std::uint32_t counter) noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t gap = home(counters_[counter].event_id);
  while (slots_[gap] != counter) gap = (gap + 1) & mask;
  for (std::size_t at = (gap + 1) & mask; slots_[at] != none; at = (at + 1) & mask) {
    const std::size_t wanted = home(counters_[slots_[at]].event_id);
    if (((at - wanted) & mask) < ((at - gap) & mask)) continue;  // it is found without passing the gap
    slots_[gap] = slots_[at];
    gap = at;
  }
  slots_[gap] = none;
}

std::vector<Talker> TopTalkers::top(std::size_t most) const {
  std::vector<std::size_t> order(counters_.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return counts_[a] != counts_[b] ? counts_[a] > counts_[b] : counters_[a].text < counters_[b].text;
  });
  order.resize(std::min(order.size(), most));
  std::vector<Talker> talkers;
  talkers.reserve(order.size());
  for (const std::size_t i : order)
    talkers.push_back({counters_[i].event_id, counters_[i].text, counts_[i], counters_[i].error});
  return talkers;
}

void TopTalkers::reset() noexcept {
  std::fill(slots_.begin(), slots_.end(), none);
  counts_.clear();
  counters_.clear();
  hand_ = 0;
  floor_ = 0;
  total_ = 0;
}

}  // namespace cairn
