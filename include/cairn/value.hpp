// What a property holds: a typed, read-only view of captured bytes, and a value that owns its bytes.
//
//   if (auto order = event.property("Order")) for (cairn::Member m : order->members()) use(m.name, m.value);
//   cairn::OwnedValue seven(7);
//   bool same = *event.property("Shard") == seven.view();
//
// A Value is valid as long as the event (or the OwnedValue) it came from; copy it into an OwnedValue to keep it.
// Reading is noexcept and safe from several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>  // brings the iterator tags as well: <iterator> itself is not light
#include <string_view>

#include "cairn/capture.hpp"
#include "cairn/clock.hpp"
#include "cairn/output_buffer.hpp"
#include "cairn/rendering.hpp"

namespace cairn {

class Value;
class OwnedValue;
struct Member;
struct Entry;

namespace detail {
/// Where the payload at `data`, which is of `type`, ends.
[[nodiscard]] const std::byte* skip_value(const ValueType& type, const std::byte* data) noexcept;

template <class T>
[[nodiscard]] T load(const std::byte* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}
}  // namespace detail

/// A duration as it was captured: a count of ticks of `numerator/denominator` seconds.
struct DurationValue {
  bool floating = false;
  std::int64_t count = 0;            // where not floating; the greatest there is where the count is beyond it
  std::uint64_t unsigned_count = 0;  // the count where it is beyond `count`; else 0
  double floating_count = 0;         // where floating
  std::int64_t numerator = 1;
  std::int64_t denominator = 1;
};

/// A moment as it was captured, whatever its clock's ticks are: seconds since 1970, UTC, rounded down, and what is
/// beyond them.
struct TimeValue {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  friend bool operator==(const TimeValue&, const TimeValue&) = default;
};

class Value {
 public:
  /// Null.
  constexpr Value() noexcept = default;
  Value(const detail::ValueType& type, const std::byte* data) noexcept;

  /// Never `dynamic`; `error` for what user code threw at capture and for what was nested too deep.
  [[nodiscard]] ValueKind kind() const noexcept { return kind_; }
  [[nodiscard]] bool is_null() const noexcept { return kind_ == ValueKind::null; }

  /// The value where it is of that kind (integers: where it fits); nothing otherwise.
  [[nodiscard]] std::optional<bool> as_bool() const noexcept;
  [[nodiscard]] std::optional<std::int64_t> as_int64() const noexcept;
  [[nodiscard]] std::optional<std::uint64_t> as_uint64() const noexcept;
  /// Any floating point number or integer, rounded.
  [[nodiscard]] std::optional<double> as_double() const noexcept;
  [[nodiscard]] std::optional<char32_t> as_character() const noexcept;
  /// A time from 1677 to 2262, which is what a Timestamp holds; as_time() has any other.
  [[nodiscard]] std::optional<Timestamp> as_timestamp() const noexcept;
  /// A time; nothing where its seconds are beyond 64 bits, or its count is no number.
  [[nodiscard]] std::optional<TimeValue> as_time() const noexcept;
  [[nodiscard]] std::optional<DurationValue> as_duration() const noexcept;
  /// The text of a string, of an enumerator with a name, or of an error.
  [[nodiscard]] std::optional<std::string_view> as_string() const noexcept;
  /// The bytes kept of a byte string.
  [[nodiscard]] std::string_view bytes() const noexcept;
  /// The length a byte string had before it was cut to 1024.
  [[nodiscard]] std::uint64_t bytes_total() const noexcept;

  /// Elements of a sequence, pairs of a dictionary, members of a structure; 0 for others.
  [[nodiscard]] std::uint32_t size() const noexcept;
  /// How many more there were before the limits cut; UINT32_MAX: some, not counted.
  [[nodiscard]] std::uint32_t omitted() const noexcept;
  /// A structure's type, unqualified; empty where it has none.
  [[nodiscard]] std::string_view type_name() const noexcept;

  template <class Item>
  class Items;
  /// What a sequence holds, in order; empty for others.
  [[nodiscard]] Items<Value> elements() const noexcept;
  /// What a structure holds, in the order of its type; empty for others.
  [[nodiscard]] Items<Member> members() const noexcept;
  /// What a dictionary holds; empty for others.
  [[nodiscard]] Items<Entry> entries() const noexcept;
  /// The member or (string-keyed) entry of that name, or nothing.
  [[nodiscard]] std::optional<Value> find(std::string_view name) const noexcept;

  /// Appends the value as text: strings bare, containers as `rendering` says. Not escaped.
  void render_to(OutputBuffer& out, Rendering rendering = Rendering::literal) const;
  /// The same as a string.
  [[nodiscard]] std::string to_text(Rendering rendering = Rendering::literal) const;
  /// Appends the value as JSON, as CLEF carries it.
  void json_to(OutputBuffer& out) const;

  /// Equal in kind and value. Integers compare by number whatever their width and sign, floating point numbers with
  /// each other; a bool never equals a number, a string never equals a character. An enumerator with a name compares by
  /// it, also with a string; those without names by number. Dictionaries compare by keys, whatever their order. NaN
  /// equals nothing, nor does a value that holds it.
  friend bool operator==(const Value& a, const Value& b) noexcept { return equal(a, b, false); }
  /// The same, but with NaN equal to NaN, in containers, times and durations too: for tests.
  [[nodiscard]] bool is_same_as(const Value& other) const noexcept { return equal(*this, other, true); }

  [[nodiscard]] const detail::ValueType& type() const noexcept { return *type_; }
  [[nodiscard]] const std::byte* data() const noexcept { return data_; }

 private:
  friend class OwnedValue;
  static bool equal(const Value& a, const Value& b, bool nan_is_nan) noexcept;
  [[nodiscard]] detail::ContainerHeader header() const noexcept { return detail::load<detail::ContainerHeader>(data_); }

  const detail::ValueType* type_ = &detail::null_type;
  const std::byte* data_ = nullptr;
  ValueKind kind_ = ValueKind::null;
};

struct Member {
  std::string_view name;
  Value value;
};
struct Entry {
  Value key;
  Value value;
};

/// A forward range over the parts of a container value.
template <class Item>
class Value::Items {
 public:
  class Iterator {
   public:
    using value_type = Item;
    using difference_type = std::ptrdiff_t;
    using reference = Item;
    using iterator_category = std::input_iterator_tag;

    Iterator() noexcept = default;
    Iterator(const Value& container, std::uint32_t index) noexcept;
    [[nodiscard]] Item operator*() const noexcept { return item_; }
    [[nodiscard]] const Item* operator->() const noexcept { return &item_; }
    Iterator& operator++() noexcept {
      ++index_;
      read();
      return *this;
    }
    Iterator operator++(int) noexcept {
      Iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) noexcept { return a.index_ == b.index_; }

   private:
    void read() noexcept;
    const detail::ValueType* type_ = nullptr;
    const std::byte* next_ = nullptr;
    std::uint32_t index_ = 0;
    std::uint32_t count_ = 0;
    Item item_{};
  };

  Items() noexcept = default;
  explicit Items(const Value& container) noexcept : container_(container), count_(container.size()) {}
  [[nodiscard]] Iterator begin() const noexcept { return count_ == 0 ? Iterator() : Iterator(container_, 0); }
  [[nodiscard]] Iterator end() const noexcept { return count_ == 0 ? Iterator() : Iterator(container_, count_); }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }

 private:
  Value container_;
  std::uint32_t count_ = 0;
};

/// A value with bytes of its own. Copyable; safe to read from several threads. Types described by a library must not
/// outlive it.
class OwnedValue {
 public:
  /// Null.
  OwnedValue() = default;
  /// Captures `value` under the default limits.
  template <class T>
  requires(!std::same_as<T, OwnedValue> && !std::same_as<T, Value>) explicit OwnedValue(
      const T& value) {  // the string form, where a type has one beside its structure
    detail::CaptureBuffer buffer;
    constexpr CaptureLimits limits;
    detail::CaptureWriter writer(buffer, limits);
    writer.structure = false;
    detail::write_dynamic(writer, value);
    bytes_.assign(reinterpret_cast<const char*>(writer.data()), writer.size());
    truncated_ = writer.cuts() != 0;
  }
  explicit OwnedValue(const Value& value);

  [[nodiscard]] Value view() const noexcept;
  /// Something was cut when it was captured. Not known of what a view was copied from.
  [[nodiscard]] bool truncated() const noexcept { return truncated_; }

 private:
  std::string bytes_;  // a dynamic value
  bool truncated_ = false;
};

/// A value captured already can be captured again: logged, put into a context, added by an enricher.
template <>
struct Capture<Value> {
  static void capture(const Value& value, ValueWriter& out) {
    const std::byte* end = value.data() == nullptr ? nullptr : detail::skip_value(value.type(), value.data());
    out.captured(value.type(), value.data(), static_cast<std::size_t>(end - value.data()));
  }
};
template <>
struct Capture<OwnedValue> {
  static void capture(const OwnedValue& value, ValueWriter& out) { Capture<Value>::capture(value.view(), out); }
};

}  // namespace cairn
