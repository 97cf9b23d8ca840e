// What decides which events go on: predicates, stock filters, and / or / not, sampling.
//
//   config.filter_by(cairn::filters::level(cairn::Level::warning) || cairn::filters::property("Important", true));
//   config.filter_by(cairn::filters::sample_per_second(100));
//
// A filter is called from every thread that logs and must be safe from all. One that throws passes the event on, and is
// counted.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cairn/clock.hpp"
#include "cairn/event.hpp"

namespace cairn {

class Filter;
namespace filters {
[[nodiscard]] Filter all(std::vector<Filter> filters);
[[nodiscard]] Filter any(std::vector<Filter> filters);
[[nodiscard]] Filter none(std::vector<Filter> filters);
}  // namespace filters

class Filter {
 public:
  template <class F>
  requires(std::predicate<const F&, const Event&> && !std::same_as<std::remove_cvref_t<F>, Filter>) Filter(F f)
      : passes_(std::move(f)) {  // implicit: a lambda is a filter
    if (!passes_) problem_ = "the filter is empty; it takes a function";
  }
  /// One that can only be a mistake: create_logger() refuses it, with these words.
  [[nodiscard]] static Filter mistaken(std::string problem) {
    Filter filter([](const Event&) { return true; });
    filter.problem_ = std::move(problem);
    return filter;
  }

  [[nodiscard]] bool operator()(const Event& event) const { return passes_(event); }

  /// Why it cannot be meant (an empty function, a source that is no name); empty: nothing is wrong with it. What is
  /// made of filters has the mistakes of its parts.
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

  friend Filter operator&&(Filter a, Filter b) {
    std::string problem = a.problem_.empty() ? b.problem_ : a.problem_;
    return Filter([a = std::move(a), b = std::move(b)](const Event& e) { return a(e) && b(e); }, std::move(problem));
  }
  friend Filter operator||(Filter a, Filter b) {
    std::string problem = a.problem_.empty() ? b.problem_ : a.problem_;
    return Filter([a = std::move(a), b = std::move(b)](const Event& e) { return a(e) || b(e); }, std::move(problem));
  }
  friend Filter operator!(Filter a) {
    std::string problem = a.problem_;
    return Filter([a = std::move(a)](const Event& e) { return !a(e); }, std::move(problem));
  }

 private:
  template <class F>
  Filter(F f, std::string problem) : passes_(std::move(f)), problem_(std::move(problem)) {}
  friend Filter filters::all(std::vector<Filter> filters);
  friend Filter filters::any(std::vector<Filter> filters);
  friend Filter filters::none(std::vector<Filter> filters);

  std::function<bool(const Event&)> passes_;
  std::string problem_;
};

namespace filters {
[[nodiscard]] Filter always();
[[nodiscard]] Filter never();
/// Events of at least that level; a number that is none is a configuration error.
[[nodiscard]] Filter level(Level least);
/// Events whose source is `prefix` or begins with it, part by part: `.` and `::` are the same. A prefix that is no name
/// (empty, an empty part, a blank or a colon at the edge of a part) is a configuration error.
[[nodiscard]] Filter source(std::string prefix);
/// Events that have a property `name`. Here and below: no property has an empty name, which is a configuration error.
[[nodiscard]] Filter has_property(std::string name);
/// Events whose property `name` equals `value`, as Value's == has it (a bool never equals a number).
[[nodiscard]] Filter property_value(std::string name, OwnedValue value);
template <class T>
[[nodiscard]] Filter property(std::string name, const T& value) {
  return property_value(std::move(name), OwnedValue(value));
}
/// Events whose property `name` is there and satisfies `predicate(Value)`.
[[nodiscard]] Filter property_satisfies(std::string name, std::function<bool(const Value&)> predicate);
template <class F>
requires std::predicate<const F&, const Value&>
[[nodiscard]] Filter property_matches(std::string name, F predicate) {
  return property_satisfies(std::move(name), std::move(predicate));
}
/// A predicate of yours.
template <class F>
[[nodiscard]] Filter matching(F predicate) {
  return Filter(std::move(predicate));
}
/// Events of that template: what `@i` shows.
[[nodiscard]] Filter event_id(std::uint32_t id);
[[nodiscard]] Filter message_template(std::string text);
/// All of them pass (of none: true); any of them (of none: false); none of them.
[[nodiscard]] Filter all(std::vector<Filter> filters);
[[nodiscard]] Filter any(std::vector<Filter> filters);
[[nodiscard]] Filter none(std::vector<Filter> filters);
[[nodiscard]] Filter not_(Filter filter);

/// Whether a sampling filter counts all events together or each template on its own (the first 1 000 templates; the
/// others share one count).
enum class SampleBy : std::uint8_t { all, event_template };

/// Sampling filters say what they suppressed: the first event that passes after a gap carries `SuppressedCount`, how
/// many were held back since the last one that passed. A logger's metrics count them as filtered; what the filter of
/// one sink holds back is in no count, as the sink was not to have it. An `n` of 0 is a configuration error: what
/// passes nothing is never().
///
/// Every `n`-th event, beginning with the first.
[[nodiscard]] Filter sample_every(std::uint64_t n, SampleBy by = SampleBy::all);
/// At most `n` events in each second (of the steady clock).
[[nodiscard]] Filter sample_per_second(std::uint64_t n, SampleBy by = SampleBy::all, Clock& clock = system_clock());
/// The first `n` events.
[[nodiscard]] Filter sample_first(std::uint64_t n, SampleBy by = SampleBy::all);
}  // namespace filters

}  // namespace cairn
