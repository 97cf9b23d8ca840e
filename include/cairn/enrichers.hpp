// What adds properties to events: functions of yours, and stock ones.
//
//   config.enrich_with([](cairn::EventBuilder& e) { e.add("Tenant", current_tenant()); });
//   config.enrich_with(cairn::enrichers::machine_name());
//   auto log2 = log.with_enricher([](cairn::EventBuilder& e) { e.add("Attempt", 3); });
//
// An enricher runs once an event and must be safe from several threads. Where some sink is synchronous it runs on the
// thread that logs; where every sink is queued, on a thread of Cairn's, unless it is one that runs `at_capture()`. What
// it throws is caught and counted, and the event goes on with what it had added. A name that the template, the context
// or the logger has already is not replaced.
#pragma once

#include <concepts>
#include <functional>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "cairn/detail/scratch_value.hpp"
#include "cairn/event.hpp"

namespace cairn {

/// An event on its way through the enrichers.
class EventBuilder {
 public:
  /// Adds a property; adding a name twice keeps the last. The value may be one that event() gave. It is captured under
  /// the default limits, and what enrichers add to one event takes 256 KiB at most: what is over is left out, and the
  /// event is `truncated()`.
  template <class T>
  void add(std::string_view name, const T& value) {
    const detail::ScratchValue captured(value, detail::default_capture_limits);
    if (!captured.complete()) throw std::bad_alloc();
    add_value(name, captured.view(), captured.cut());
  }
  /// The event as it is now, with what was added so far. What was read of it, names and values, is valid until the
  /// next add().
  [[nodiscard]] const Event& event() const noexcept { return event_; }

  EventBuilder(const Event& event, detail::PropertyBlock& extras) noexcept : event_(event), extras_(extras) {}

 private:
  void add_value(std::string_view name, const Value& value, bool cut);
  const Event& event_;
  detail::PropertyBlock& extras_;
};

class Enricher {
 public:
  template <class F>
  requires(std::invocable<const F&, EventBuilder&> && !std::same_as<std::remove_cvref_t<F>, Enricher>) Enricher(F f)
      : run_(std::move(f)) {}  // implicit: a lambda is an enricher

  void operator()(EventBuilder& event) const { run_(event); }

  /// The same enricher, to run on the thread that logs even where every sink is queued: for what only that thread
  /// knows. Such enrichers run before all others. The price: the caller runs them.
  [[nodiscard]] Enricher at_capture() && {
    at_capture_ = true;
    return std::move(*this);
  }
  [[nodiscard]] bool runs_at_capture() const noexcept { return at_capture_; }
  /// Made of an empty function: create_logger() refuses it.
  [[nodiscard]] bool empty() const noexcept { return !run_; }

 private:
  std::function<void(EventBuilder&)> run_;
  bool at_capture_ = false;
};

namespace enrichers {
/// The same value on every event.
template <class T>
[[nodiscard]] Enricher property(std::string name, const T& value) {
  return Enricher([name = std::move(name), kept = OwnedValue(value)](EventBuilder& e) { e.add(name, kept); });
}
/// `ThreadId`: the kernel's number of the calling thread. Runs at capture.
[[nodiscard]] Enricher thread_id();
/// `ThreadName`: as pthread_setname_np set it. Runs at capture.
[[nodiscard]] Enricher thread_name();
/// `ProcessId`; follows a fork.
[[nodiscard]] Enricher process_id();
/// `ProcessName`.
[[nodiscard]] Enricher process_name();
/// `MachineName`.
[[nodiscard]] Enricher machine_name();
/// `SourceFile`, `SourceLine` and `SourceFunction` of the call.
[[nodiscard]] Enricher source_location();
/// The environment variable `variable` as it is when the enricher is made, under `name` (empty: its own); absent if it
/// is not set.
[[nodiscard]] Enricher environment_variable(std::string variable, std::string name = {});
}  // namespace enrichers

}  // namespace cairn
