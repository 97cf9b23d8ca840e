// What is true of everything a thread does for a while: properties that every event of the thread carries.
//
//   auto request = cairn::LogContext::push("RequestId", id);            // until the scope ends
//   auto correlation = cairn::LogContext::push_correlation_id();
//   auto snapshot = cairn::LogContext::snapshot();
//   std::thread([snapshot] { cairn::LogContext::Scope scope{snapshot}; … });
//
// The context belongs to the calling thread; every function acts on it alone and none locks. It holds 64 properties and
// 4 KiB at most: what is over is not pushed, and counted (`context_cut` in the metrics). Of equal names the latest
// pushed wins until it is popped. Not for signal handlers: a push that interrupts another one is left out, and counted.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cairn/detail/scratch_value.hpp"
#include "cairn/value.hpp"

namespace cairn {

/// Ends what a push began. Scopes may end in any order: each removes its own entry. End it on the thread that made it.
class [[nodiscard]] ContextScope {
 public:
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;
  ~ContextScope();

 private:
  friend class LogContext;
  explicit ContextScope(std::uint64_t first, std::uint64_t last) noexcept : first_(first), last_(last) {}
  std::uint64_t first_;  // the entries from first to last are this scope's; 0: none
  std::uint64_t last_;
};

/// A context kept as a value: cheap to copy, never changes, may cross threads.
class ContextSnapshot {
 public:
  /// An empty context.
  ContextSnapshot() = default;
  /// Properties it holds.
  [[nodiscard]] std::size_t size() const noexcept;

 private:
  friend class LogContext;
  struct Data;
  std::shared_ptr<const Data> data_;
};

/// One property for `push_properties`.
struct ContextProperty {
  template <class T>
  ContextProperty(std::string_view property_name, const T& property_value) noexcept : name(property_name) {
    try {
      value.emplace(property_value);
    } catch (...) {  // no memory: not pushed, and counted
    }
  }
  std::string_view name;
  std::optional<OwnedValue> value;
};

class LogContext {
 public:
  LogContext() = delete;

  /// Adds a property until the scope ends, or until `timeout` has passed, judged by each event's time.
  template <class T>
  [[nodiscard]] static ContextScope push(std::string_view name, const T& value,
                                         std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max()) noexcept {
    const detail::ScratchValue captured(value, detail::context_capture_limits);
    return push_value(name, captured, timeout);
  }
  /// Adds several until the scope ends; each that is over the limits is left out alone.
  [[nodiscard]] static ContextScope push_properties(std::initializer_list<ContextProperty> properties) noexcept;

  /// Adds the property `CorrelationId`: `id`, or a new UUID.
  [[nodiscard]] static ContextScope push_correlation_id(std::string_view id = {}) noexcept;
  /// The `CorrelationId` in force, or empty.
  [[nodiscard]] static std::string correlation_id();
  /// A random UUID (RFC 9562, version 4), from a source seeded by the kernel. Safe from every thread.
  [[nodiscard]] static std::string new_correlation_id();

  /// Takes on a W3C `traceparent` header: its trace and span ids go to `@tr` and `@sp`. What is not one changes nothing
  /// and is counted; `valid` tells. A trace takes 64 bytes of the context's 4 KiB.
  [[nodiscard]] static ContextScope push_traceparent(std::string_view header, bool* valid = nullptr) noexcept;
  /// The header to send on (version 00), or empty where no trace is in force.
  [[nodiscard]] static std::string traceparent();

  /// Runs `f` with the property in force; gives what `f` gives.
  template <class T, class F>
  static decltype(auto) with(std::string_view name, const T& value, F&& f) {
    const ContextScope scope = push(name, value);
    return std::forward<F>(f)();
  }

  /// A copy of the calling thread's context, with what is left of its timeouts. Empty, and counted, where memory cannot
  /// be had.
  [[nodiscard]] static ContextSnapshot snapshot() noexcept;

  /// Puts a snapshot in place of the thread's context, until the scope ends. Such scopes may end in any order too: the
  /// context is that of the latest still open.
  class [[nodiscard]] Scope {
   public:
    explicit Scope(const ContextSnapshot& snapshot) noexcept;
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope();

   private:
    std::uint64_t id_ = 0;
  };
  /// An empty context until the scope ends.
  [[nodiscard]] static Scope suspend() noexcept { return Scope(ContextSnapshot()); }

  /// Forgets everything; pushes still open end without effect. A snapshot's Scope still puts back the context from
  /// before it.
  static void clear() noexcept;
  /// The value in force under that name.
  [[nodiscard]] static std::optional<OwnedValue> current(std::string_view name);
  /// How many properties are in force, each name once; and the bytes that all pushes still open take of the 4 KiB:
  /// names, values and 32 for each push.
  [[nodiscard]] static std::size_t size() noexcept;
  [[nodiscard]] static std::size_t size_bytes() noexcept;
  /// How often something was not pushed for the limits or a malformed traceparent, by all threads since the process
  /// began; a child made by fork() begins at 0.
  [[nodiscard]] static std::uint64_t cut_count() noexcept;

 private:
  [[nodiscard]] static ContextScope push_value(std::string_view name, const detail::ScratchValue& value,
                                               std::chrono::nanoseconds timeout) noexcept;
  /// A scope of nothing, for what was counted as cut.
  [[nodiscard]] static ContextScope cut() noexcept;
};

}  // namespace cairn
