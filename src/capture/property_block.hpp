// Properties as bytes: what contexts, loggers and enrichers hold. One entry after another, oldest first; of equal names
// the last counts. Beside them the trace ids of a context, latest last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "cairn/event.hpp"
#include "cairn/value.hpp"

namespace cairn::detail {

struct PropertyEntry {
  std::uint32_t size = 0;  // of the whole entry
  std::uint32_t name_size = 0;
  static constexpr std::int64_t never = INT64_MAX;
  std::int64_t expiry = never;  // nanoseconds since 1970 from which on it is no more; judged by an event's time
  std::uint64_t id = 0;         // the scope that will remove it
  // name, then a dynamic value

  [[nodiscard]] bool in_force(std::int64_t time) const noexcept { return expiry > time || expiry == never; }
};

/// The entry at `at`, taken apart.
struct PropertyAt {
  PropertyEntry entry;
  Property property;
};

class PropertyBlock {
 public:
  static constexpr std::size_t trace_size = 50;

  [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return bytes_.size(); }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  /// Of the trace in force, or empty.
  [[nodiscard]] std::string_view trace_id() const noexcept { return trace_part(0, 32); }
  [[nodiscard]] std::string_view span_id() const noexcept { return trace_part(32, 16); }
  [[nodiscard]] std::string_view trace_flags() const noexcept { return trace_part(48, 2); }
  [[nodiscard]] std::size_t trace_count() const noexcept { return traces_.size(); }

  void reserve(std::size_t bytes) { bytes_.reserve(bytes); }
  void clear() noexcept {
    bytes_.clear();
    traces_.clear();
    count_ = 0;
    cut_ = false;
  }

  /// Opens an entry: gives its position. Write the dynamic value's bytes with append, then close.
  [[nodiscard]] std::size_t open(std::string_view name, std::int64_t expiry = PropertyEntry::never,
                                 std::uint64_t id = 0);
  void append(const void* bytes, std::size_t size);
  void close(std::size_t position) noexcept;
  /// Adds a whole entry or, where memory cannot be had, throws and adds nothing. The value may be one of this block.
  void add(std::string_view name, const Value& value, std::int64_t expiry = PropertyEntry::never, std::uint64_t id = 0);
  /// The same, and removes what had that name before. Gives the position of the new one, which is the last.
  std::size_t replace(std::string_view name, const Value& value, std::uint64_t id = 0);
  /// The same, unless all would take more than `most` bytes: then it is left out. `cut`: something of it was, already.
  void replace_within(std::size_t most, std::string_view name, const Value& value, bool cut);
  /// Something was cut, or left out, since it was empty.
  [[nodiscard]] bool cut() const noexcept { return cut_; }
  /// Removes every entry and every trace with an id from `first` to `last`.
  void remove_ids(std::uint64_t first, std::uint64_t last) noexcept;
  /// Removes what is no more at `time`.
  void remove_expired(std::int64_t time) noexcept;
  /// Makes every entry and every trace one that no scope removes.
  void forget_ids() noexcept;
  void remove_name(std::string_view name) noexcept;
  /// Appends the properties of `other` whose names are not here; gives how many are.
  std::size_t append_missing(const PropertyBlock& other);

  /// Reads the entry at offset `at` and moves past it; `at` must be below size_bytes(). Half an entry is one without a
  /// name that was never in force, and the last.
  [[nodiscard]] PropertyAt read(std::size_t& at) const noexcept;
  /// Is there an entry named `name` from offset `at` on that is in force at `time`?
  [[nodiscard]] bool has_after(std::size_t at, std::string_view name, std::int64_t time) const noexcept;
  /// The value in force.
  [[nodiscard]] bool find(std::string_view name, std::int64_t time, Value& value) const noexcept;

  /// How many properties are in force at `time`: each name once.
  [[nodiscard]] std::size_t count_at(std::int64_t time) const noexcept;

  // As bytes, and back: what a lane carries.
  [[nodiscard]] const std::byte* data() const noexcept { return bytes_.data(); }
  [[nodiscard]] const char* trace() const noexcept { return traces_.empty() ? nullptr : traces_.back().ids; }
  /// Entries of `size` bytes in all; `trace` as trace() gave it, or null. From half an entry on all is left out, and it
  /// is cut().
  void assign(const std::byte* bytes, std::size_t size, const char* trace);

  /// 32 + 16 hex digits and 2 of flags, in place of every trace there is; or empty for none.
  void set_trace(std::string_view ids);
  /// The same, in force until remove_ids takes it away; then the one before it is again.
  void push_trace(std::string_view ids, std::uint64_t id);
  /// What a trace takes of a context's limit.
  static constexpr std::size_t trace_bytes = 64;

 private:
  struct Trace {
    char ids[trace_size] = {};
    std::uint64_t id = 0;
  };
  static_assert(sizeof(Trace) <= trace_bytes);
  [[nodiscard]] std::string_view trace_part(std::size_t from, std::size_t size) const noexcept {
    return traces_.empty() ? std::string_view() : std::string_view(traces_.back().ids + from, size);
  }
  void erase(std::size_t from, std::size_t to) noexcept;
  [[nodiscard]] std::size_t entry_size(std::size_t at) const noexcept;

  std::vector<std::byte> bytes_;
  std::size_t count_ = 0;
  bool cut_ = false;
  std::vector<Trace> traces_;
};

}  // namespace cairn::detail
