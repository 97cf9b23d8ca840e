// The stock filters, and sampling: what is counted for whom.
#include "cairn/filters.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <new>
#include <string>

#include "cairn/detail/fork_mutex.hpp"
#include "pipeline/source_name.hpp"
#include "pipeline/suppression.hpp"

namespace cairn::filters {

Filter always() {
  return Filter([](const Event&) { return true; });
}

Filter never() {
  return Filter([](const Event&) { return false; });
}

Filter level(Level least) {
  if (least > Level::fatal)
    return Filter::mistaken("the level is " + std::to_string(static_cast<unsigned>(least)) +
                            "; it takes verbose (0) to fatal (5)");
  return Filter([least](const Event& e) { return e.level() >= least; });
}

Filter source(std::string prefix) {
  if (const std::string problem = detail::source_name_problem(prefix); !problem.empty())
    return Filter::mistaken("the source " + problem + "; it takes parts with . or :: between them, like shop.orders");
  prefix = detail::dotted(prefix);
  return Filter([prefix = std::move(prefix)](const Event& e) { return detail::source_is_below(e.source(), prefix); });
}

namespace {
constexpr const char* no_property_name = "the name of the property is empty; it takes a name";
}

Filter has_property(std::string name) {
  if (name.empty()) return Filter::mistaken(no_property_name);
  return Filter([name = std::move(name)](const Event& e) { return e.property(name).has_value(); });
}

Filter property_value(std::string name, OwnedValue value) {
  if (name.empty()) return Filter::mistaken(no_property_name);
  return Filter([name = std::move(name), value = std::move(value)](const Event& e) {
    const auto found = e.property(name);
    return found && *found == value.view();
  });
}

Filter property_satisfies(std::string name, std::function<bool(const Value&)> predicate) {
  if (name.empty()) return Filter::mistaken(no_property_name);
  if (!predicate) return Filter::mistaken("the predicate of the property " + name + " is empty; it takes a function");
  return Filter([name = std::move(name), predicate = std::move(predicate)](const Event& e) {
    const auto value = e.property(name);
    return value && predicate(*value);
  });
}

Filter event_id(std::uint32_t id) {
  return Filter([id](const Event& e) { return e.event_id() == id; });
}

Filter message_template(std::string text) {
  return Filter([text = std::move(text)](const Event& e) { return e.message_template() == text; });
}

namespace {
/// The first mistake among them.
std::string problem_of(const std::vector<Filter>& filters) {
  for (const Filter& filter : filters) {
    if (!filter.problem().empty()) return filter.problem();
  }
  return {};
}
}  // namespace

Filter all(std::vector<Filter> filters) {
  std::string problem = problem_of(filters);
  return Filter(
      [filters = std::move(filters)](const Event& e) {
        return std::all_of(filters.begin(), filters.end(), [&](const Filter& filter) { return filter(e); });
      },
      std::move(problem));
}

Filter any(std::vector<Filter> filters) {
  std::string problem = problem_of(filters);
  return Filter(
      [filters = std::move(filters)](const Event& e) {
        return std::any_of(filters.begin(), filters.end(), [&](const Filter& filter) { return filter(e); });
      },
      std::move(problem));
}

Filter none(std::vector<Filter> filters) {
  std::string problem = problem_of(filters);
  return Filter(
      [filters = std::move(filters)](const Event& e) {
        return std::none_of(filters.begin(), filters.end(), [&](const Filter& filter) { return filter(e); });
      },
      std::move(problem));
}

Filter not_(Filter filter) { return !std::move(filter); }

namespace {

constexpr std::size_t max_templates = 1000;

/// What a sampling filter knows of the events it counts together.
struct Tally {
  std::atomic<std::uint64_t> word{0};        // the filter's own; relaxed throughout: one word, changed in one step
  std::atomic<std::uint64_t> suppressed{0};  // see suppression.hpp
};

/// The tallies of one filter: one of all events, or one a template as far as limit and memory allow. Finding takes no
/// lock; templates are only ever added.
class Tallies {
 public:
  explicit Tallies(SampleBy by)
      : slots_(by == SampleBy::event_template ? std::make_unique<Slot[]>(slot_count) : nullptr) {}
  Tallies(const Tallies&) = delete;
  Tallies& operator=(const Tallies&) = delete;
  ~Tallies() {
    for (std::size_t i = 0; slots_ != nullptr && i < slot_count; ++i)
      delete slots_[i].load(std::memory_order_relaxed);  // the last owner
  }

  [[nodiscard]] Tally& of(const Event& event) {
    if (slots_ == nullptr) return shared_;
    // acquire, partner of the release store in insert(): who sees the table full sees every template in it
    const bool full = count_.load(std::memory_order_acquire) == max_templates;
    std::size_t at = 0;
    if (Entry* known = find(event, at)) return known->tally;
    return full ? shared_ : insert(event);
  }

 private:
  struct Entry {
    explicit Entry(const Event& event) : id(event.event_id()), text(event.message_template()) {}
    std::uint32_t id;
    std::string text;
    Tally tally;
  };
  using Slot = std::atomic<Entry*>;
  static constexpr std::size_t slot_count = 2048;
  static_assert(slot_count > max_templates);

  /// The event's entry; else null, and `at` is the slot where it belongs.
  [[nodiscard]] Entry* find(const Event& event, std::size_t& at) const noexcept {
    const std::uint32_t id = event.event_id();
    for (at = id % slot_count;; at = (at + 1) % slot_count) {
      Entry* entry = slots_[at].load(std::memory_order_acquire);  // partner: the release store in insert()
      if (entry == nullptr || (entry->id == id && entry->text == event.message_template())) return entry;
    }
  }

  [[nodiscard]] Tally& insert(const Event& event) {
    std::unique_ptr<Entry> made;
    try {
      made = std::make_unique<Entry>(event);
    } catch (const std::bad_alloc&) {
      return shared_;
    }
    const std::lock_guard lock(insertion_);
    std::size_t at = 0;
    if (Entry* known = find(event, at)) return known->tally;           // another thread was faster
    const std::size_t count = count_.load(std::memory_order_relaxed);  // changes under the lock only
    if (count == max_templates) return shared_;
    Entry* entry = made.release();
    slots_[at].store(entry, std::memory_order_release);  // partner: the acquire load in find()
    count_.store(count + 1, std::memory_order_release);  // partner: the acquire load in of()
    return entry->tally;
  }

  std::unique_ptr<Slot[]> slots_;
  detail::ForkMutex insertion_;
  std::atomic<std::size_t> count_{0};
  Tally shared_;
};

/// The filter `name(n, by)`.
template <class Admit>
Filter sampling(const char* name, std::uint64_t n, SampleBy by, Admit admit) {
  if (n == 0)
    return Filter::mistaken(std::string(name) + ": n is 0; it takes 1 or more (what passes nothing is never())");
  if (by > SampleBy::event_template)
    return Filter::mistaken("the way to sample is " + std::to_string(static_cast<unsigned>(by)) +
                            "; it takes SampleBy::all (0) or SampleBy::event_template (1)");
  return Filter([tallies = std::make_shared<Tallies>(by), admit](const Event& e) {
    Tally& tally = tallies->of(e);
    const bool passed = admit(tally.word);
    detail::note_sampling(tallies, tally.suppressed, passed);
    return passed;
  });
}

}  // namespace

Filter sample_every(std::uint64_t n, SampleBy by) {
  return sampling("sample_every", n, by, [n](std::atomic<std::uint64_t>& seen) {
    return seen.fetch_add(1, std::memory_order_relaxed) % n == 0;
  });
}

Filter sample_per_second(std::uint64_t n, SampleBy by, Clock& clock) {
  constexpr std::uint64_t count_mask = 0xFFFFFFFF;
  const std::uint64_t most = std::min(n, count_mask);  // more do not come in a second
  // The word: the second's number over how many passed in it; 0 before the first.
  return sampling("sample_per_second", n, by, [most, &clock](std::atomic<std::uint64_t>& window) {
    const auto second = static_cast<std::uint32_t>(std::chrono::floor<std::chrono::seconds>(clock.steady()).count());
    std::uint64_t seen = window.load(std::memory_order_relaxed);
    for (;;) {
      const auto seen_second = static_cast<std::uint32_t>(seen >> 32U);
      std::uint64_t next = 0;
      // A thread that read the clock before another began a new second counts in that one.
      if (seen == 0 || static_cast<std::int32_t>(second - seen_second) > 0) {
        next = (std::uint64_t{second} << 32U) | 1U;
      } else if ((seen & count_mask) < most) {
        next = seen + 1;
      } else {
        return false;
      }
      if (window.compare_exchange_weak(seen, next, std::memory_order_relaxed)) return true;
    }
  });
}

Filter sample_first(std::uint64_t n, SampleBy by) {
  return sampling("sample_first", n, by, [n](std::atomic<std::uint64_t>& seen) {
    // read before it is added to, so that what is over does not fight for the cache line
    return seen.load(std::memory_order_relaxed) < n && seen.fetch_add(1, std::memory_order_relaxed) < n;
  });
}

}  // namespace cairn::filters
