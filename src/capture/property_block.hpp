// Properties as bytes: what contexts, loggers and enrichers hold. One entry after another, oldest first; of equal names the last counts.
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
  std::int64_t expiry = INT64_MAX;  // nanoseconds since 1970 after which it is no more; judged by an event's time
  std::uint64_t id = 0;             // the scope that will remove it
  // name, then a dynamic value
};

/// The entry at `at`, taken apart.
struct PropertyAt {
  PropertyEntry entry;
  Property property;
};

class PropertyBlock {
 public:
  [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return bytes_.size(); }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] std::string_view trace_id() const noexcept { return {trace_, trace_size_ == 0 ? 0U : 32U}; }
  [[nodiscard]] std::string_view span_id() const noexcept { return {trace_ + 32, trace_size_ == 0 ? 0U : 16U}; }

  void reserve(std::size_t bytes) { bytes_.reserve(bytes); }
  void clear() noexcept {
    bytes_.clear();
    count_ = 0;
  }

  /// Opens an entry: gives its position. Write the dynamic value's bytes with append, then close.
  [[nodiscard]] std::size_t open(std::string_view name, std::int64_t expiry = INT64_MAX, std::uint64_t id = 0);
  void append(const void* bytes, std::size_t size);
  void close(std::size_t position) noexcept;
  void add(std::string_view name, const Value& value, std::int64_t expiry = INT64_MAX, std::uint64_t id = 0);
  /// Removes every entry with an id from `first` to `last`.
  void remove_ids(std::uint64_t first, std::uint64_t last) noexcept;
  void remove_name(std::string_view name) noexcept;
  /// Appends the properties of `other` whose names are not here.
  void append_missing(const PropertyBlock& other);

  /// Reads the entry at offset `at` and moves past it; `at` must be below size_bytes().
  [[nodiscard]] PropertyAt read(std::size_t& at) const noexcept;
  /// Is there an entry named `name` from offset `at` on that is in force at `time`?
  [[nodiscard]] bool has_after(std::size_t at, std::string_view name, std::int64_t time) const noexcept;
  /// The value in force.
  [[nodiscard]] bool find(std::string_view name, std::int64_t time, Value& value) const noexcept;

  /// 32 + 16 hex digits and 2 of flags, or empty for none.
  void set_trace(std::string_view ids) noexcept;
  [[nodiscard]] std::string_view trace_flags() const noexcept { return {trace_ + 48, trace_size_ == 0 ? 0U : 2U}; }

 private:
  std::vector<std::byte> bytes_;
  std::size_t count_ = 0;
  char trace_[50]{};
  unsigned trace_size_ = 0;
};

}  // namespace cairn::detail
