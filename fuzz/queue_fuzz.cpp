// A sink's queue and a small model of it act out the same history: events come in, are taken, are dropped for want of
// memory, all are forgotten. What the model holds, the queue must hold, in that order; what the one drops, the other
// must drop, for the same reason; and every event that came is taken, dropped or still there. What a flush
// covers is gone by the numbers when it is gone.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <cairn/all.hpp>
#include <cairn/memory_sink.hpp>

#include "pipeline/event_batch.hpp"
#include "pipeline/event_queue.hpp"
#include "support/fuzz_values.hpp"

namespace {

using cairn::Event;
using cairn::Overflow;
using cairn::detail::EventBatch;
using cairn::detail::EventQueue;
using cairn::detail::EventRange;

/// Events of every size and level, each with its place here as its number.
class Pool {
 public:
  static constexpr std::size_t size = 256;
  Pool() {
    const auto sink = std::make_shared<cairn::MemorySink>();
    const auto log = cairn::Configuration{}.verbose().write_to(sink).create_logger();
    for (std::size_t i = 0; i < size; ++i) {
      const std::string text(i % 7 == 0 ? 700 : i % 13, 'x');
      log.write(i % 5 == 0 ? cairn::Level::error : cairn::Level::information, "{Number} {Text}", i, text);
    }
    kept_ = sink->events();
    for (const cairn::OwnedEvent& event : kept_) views_.push_back(event.view());
  }
  [[nodiscard]] std::span<const Event> events() const { return views_; }

 private:
  std::vector<cairn::OwnedEvent> kept_;
  std::vector<Event> views_;
};

std::size_t number_of(const Event& event) {
  return static_cast<std::size_t>(event.property("Number")->as_uint64().value());
}

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::abort();
}

/// What the header of the queue says, event by event.
class Model {
 public:
  struct Item {
    std::size_t number = 0;
    std::size_t cost = 0;
    std::uint64_t arrival = 0;
  };

  explicit Model(const EventQueue::Limits& limits) : limits_(limits) {
    const std::size_t eighth = limits.max_size / 8;
    most_[1] = !limits.protect ? 0 : eighth == 0 ? 1 : eighth;
    most_[0] = limits.max_size - most_[1];
  }
  void push(const Event& event, EventQueue::Dropped& dropped) {
    const std::size_t cost = EventBatch::cost(event);
    const std::size_t which = limits_.protect && event.level() >= *limits_.protect ? 1 : 0;
    std::deque<Item>& into = items[which];
    if (limits_.overflow == Overflow::block) return add(into, event, cost);
    if (limits_.overflow == Overflow::drop_newest) {
      if (into.size() >= most_[which]) {
        ++dropped.queue_full;
      } else if (bytes + cost > limits_.max_bytes || bytes_of(which) + cost > most_bytes(which)) {
        ++dropped.memory_limit;
      } else {
        add(into, event, cost);
      }
      return;
    }
    if (most_[which] == 0) {
      ++dropped.queue_full;
      return;
    }
    const std::size_t stays = which == 0 ? bytes_of(1) : 0;  // whatever comes
    if (stays + cost > limits_.max_bytes) {                  // nothing makes room for it
      ++dropped.memory_limit;
      return;
    }
    if (into.size() >= most_[which]) {
      remove(into);
      ++dropped.queue_full;
    }
    while (bytes + cost > limits_.max_bytes && size() != 0) {
      remove(items[0].empty() ? items[1] : items[0]);
      ++dropped.memory_limit;
    }
    add(into, event, cost);
  }
  void remove(std::deque<Item>& from) {
    bytes -= from.front().cost;
    from.pop_front();
  }
  /// The oldest of all.
  std::deque<Item>& oldest() {
    if (items[0].empty() || items[1].empty()) return items[0].empty() ? items[1] : items[0];
    return items[0].front().arrival < items[1].front().arrival ? items[0] : items[1];
  }
  [[nodiscard]] std::size_t bytes_of(std::size_t which) const {
    std::size_t sum = 0;
    for (const Item& item : items[which]) sum += item.cost;
    return sum;
  }
  /// With drop_newest.
  [[nodiscard]] std::size_t most_bytes(std::size_t which) const {
    const bool reserves = limits_.protect && which == 0;
    return reserves ? limits_.max_bytes - limits_.max_bytes / 8 : limits_.max_bytes;
  }
  [[nodiscard]] std::size_t size() const { return items[0].size() + items[1].size(); }
  [[nodiscard]] std::uint64_t arrivals() const { return arrivals_; }

  std::deque<Item> items[2];  // the others, the protected
  std::size_t bytes = 0;

 private:
  void add(std::deque<Item>& into, const Event& event, std::size_t cost) {
    into.push_back({number_of(event), cost, arrivals_++});
    bytes += cost;
  }
  EventQueue::Limits limits_;
  std::size_t most_[2];
  std::uint64_t arrivals_ = 0;
};

class History {
 public:
  History(cairn_fuzz::Bytes& bytes, const EventQueue::Limits& limits, std::span<const Event> pool)
      : bytes_(bytes),
        blocks_(limits.overflow == Overflow::block),
        most_(limits.max_size),
        pool_(pool),
        queue_(limits),
        model_(limits) {}

  void run() {
    for (int steps = 0; !bytes_.empty() && steps < 500; ++steps) {
      switch (bytes_.byte() % 8U) {
        case 0: take(SIZE_MAX); break;
        case 1: take(bytes_.number<std::uint16_t>() * std::size_t{16}); break;
        case 2: drop_front(); break;
        case 3:
          if (bytes_.byte() % 8 == 0) clear();
          break;
        default: push(); break;
      }
      compare();
    }
    taken_ += model_.size();
    take_all();
    if (came_ != taken_ + dropped_) stop("an event is unaccounted for");
  }

 private:
  void push() {
    std::size_t first = bytes_.byte() % pool_.size();
    std::size_t count = std::min<std::size_t>(1 + bytes_.byte() % 48U, pool_.size() - first);
    if (!batch_ || bytes_.byte() % 4 == 0) {
      batch_ = EventBatch::copy(pool_.subspan(first, count), nullptr);
      if (!batch_) stop("no memory");
      next_ = 0;
    }
    // Neighbours of the batch, perhaps some way behind those pushed before: a filter took out what is between.
    first = next_ + bytes_.byte() % 3U;
    if (first >= batch_->size()) first = 0;
    count = std::min<std::size_t>(1 + bytes_.byte() % 48U, batch_->size() - first);
    if (blocks_) count = std::min(count, most_ - queue_.size());  // nobody brings more than there is room for
    if (count == 0) return;
    next_ = first + count;
    const EventRange range{batch_, first, count};
    EventQueue::Dropped expected;
    for (const Event& event : range.events()) model_.push(event, expected);
    const EventQueue::Dropped dropped = queue_.push(range);
    if (dropped.queue_full != expected.queue_full || dropped.memory_limit != expected.memory_limit) {
      stop("dropped " + std::to_string(dropped.queue_full) + " for the places and " +
           std::to_string(dropped.memory_limit) + " for the bytes, not " + std::to_string(expected.queue_full) +
           " and " + std::to_string(expected.memory_limit));
    }
    came_ += count;
    dropped_ += expected.queue_full + expected.memory_limit;
  }
  void take(std::size_t most_bytes) {
    const std::size_t most = 1 + bytes_.byte();
    std::vector<EventRange> out;
    const std::size_t taken = queue_.take(most, most_bytes, out);
    const std::size_t held = model_.size();
    if (taken > most || (taken == 0) != (held == 0)) stop("took more than was asked for, or none");
    if (most_bytes == SIZE_MAX && taken != std::min(most, held)) stop("took fewer than there are");
    std::size_t told = 0;
    for (const EventRange& range : out) {
      for (const Event& event : range.events()) {
        std::deque<Model::Item>& from = model_.oldest();
        if (from.empty() || from.front().number != number_of(event)) stop("took another event than the oldest");
        model_.remove(from);
        ++told;
      }
    }
    if (told != taken) stop("took other than it said");
    taken_ += taken;
  }
  void drop_front() {
    const EventQueue::Front front = queue_.front();
    if (!front.batch) {
      if (model_.size() != 0) stop("nothing stands in front");
      return;
    }
    const std::size_t which = model_.items[0].empty() ? 1 : 0;
    if (front.protect != (which == 1)) stop("the protected go before the others");
    std::vector<EventRange> out;
    const std::uint64_t count = queue_.drop_front(*front.batch, out);
    std::uint64_t told = 0;
    for (const EventRange& range : out) {
      for (const Event& event : range.events()) {
        if (model_.items[which].empty() || model_.items[which].front().number != number_of(event))
          stop("dropped another");
        model_.remove(model_.items[which]);
        ++told;
      }
    }
    if (told != count || count == 0) stop("dropped other than it said, or nothing");
    dropped_ += count;
  }
  void clear() {
    const std::uint64_t count = queue_.clear();
    if (count != model_.size()) stop("forgot other than it held");
    dropped_ += count;
    model_.items[0].clear();
    model_.items[1].clear();
    model_.bytes = 0;
  }
  void compare() {
#ifdef CAIRN_PLANTED_BUG
    // A protected event weighs nothing, once all others are gone.
    if (model_.items[0].empty() && model_.items[1].size() > 1) model_.bytes = 0;
#endif
    if (queue_.size() != model_.size() || queue_.empty() != (model_.size() == 0)) stop("holds other than it should");
    if (queue_.bytes() != model_.bytes) stop("holds other bytes than it should");
    const bool flushed = model_.size() == 0 || model_.oldest().front().arrival >= flush_covers_;
    if ((queue_.oldest() >= flush_before_) != flushed) stop("has other numbers than a flush goes by");
    if (flushed) {
      flush_before_ = queue_.next();
      flush_covers_ = model_.arrivals();
    }
    if (came_ != taken_ + dropped_ + queue_.size()) stop("the sum does not hold");
  }
  void take_all() {
    std::vector<EventRange> out;
    queue_.take(SIZE_MAX, SIZE_MAX, out);
    for (const EventRange& range : out) {
      for (const Event& event : range.events()) {
        std::deque<Model::Item>& from = model_.oldest();
        if (from.empty() || from.front().number != number_of(event)) stop("held another event than it should");
        model_.remove(from);
      }
    }
    if (model_.size() != 0 || !queue_.empty() || queue_.bytes() != 0) stop("did not give all that it held");
  }

  cairn_fuzz::Bytes& bytes_;
  const bool blocks_;
  const std::size_t most_;
  std::span<const Event> pool_;
  EventQueue queue_;
  Model model_;
  std::shared_ptr<const EventBatch> batch_;
  std::size_t next_ = 0;
  std::uint64_t flush_before_ = 0;  // by the queue's numbers
  std::uint64_t flush_covers_ = 0;  // by the model's
  std::uint64_t came_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Pool pool;
  cairn_fuzz::Bytes bytes(data, size);
  EventQueue::Limits limits;
  limits.max_size = 1 + bytes.byte() % 100U;
  limits.overflow = static_cast<Overflow>(bytes.byte() % 3U);
  if (const std::uint8_t tight = bytes.byte(); tight % 2 != 0) limits.max_bytes = 200 + std::size_t{tight} * 50;
  // A queue that blocks has room for all its events, of whatever level and size: nobody brings more.
  if (limits.overflow != Overflow::block && bytes.byte() % 2 != 0) limits.protect = cairn::Level::error;
  History(bytes, limits, pool.events()).run();
  return 0;
}
