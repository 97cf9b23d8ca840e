// What sinks, filters, enrichers and formatters see of one log call: a cheap, read-only view.
//
//   for (cairn::Property p : event.properties()) …          // template, context, logger, enrichers: each name once
//   if (auto user = event.property("User")) …
//   cairn::OutputBuffer out; event.render_to(out);           // the message
//
// A view is valid only inside the call it was handed to; copy it into an OwnedEvent to keep it. Reading is noexcept
// unless it says otherwise, and safe from several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cairn/clef_options.hpp"
#include "cairn/clock.hpp"
#include "cairn/detail/template_parser.hpp"
#include "cairn/level.hpp"
#include "cairn/output_buffer.hpp"
#include "cairn/rendering.hpp"
#include "cairn/value.hpp"

namespace cairn {

struct Property {
  std::string_view name;
  Value value;
};

/// How many properties an event has.
struct PropertyCounts {
  std::uint64_t distinct = 0;    // each name once
  std::uint64_t duplicates = 0;  // of names that a more specific one has taken: not in any output
};

namespace detail {
struct RecordHeader;
class BoundTemplate;
class EventBatch;
class PropertyBlock;
struct EventParts;
}  // namespace detail

/// An exception as it was caught: what it is, and what it was thrown because of.
class ExceptionView {
 public:
  ExceptionView() noexcept = default;
  explicit ExceptionView(const std::byte* data) noexcept : data_(data) {}
  /// Is there one at all?
  [[nodiscard]] explicit operator bool() const noexcept { return data_ != nullptr; }
  /// 1, and one more for each nested exception.
  [[nodiscard]] std::uint32_t depth() const noexcept;
  /// The type as C++ spells it, and `what()`; `index` 0 is the exception itself, 1 what it nests, and so on.
  [[nodiscard]] std::string_view type(std::uint32_t index = 0) const noexcept;
  [[nodiscard]] std::string_view message(std::uint32_t index = 0) const noexcept;
  /// `type: message`, one line each, nested ones led by ` ---> `. The text of `@x`.
  void text_to(OutputBuffer& out) const;
  [[nodiscard]] std::string to_text() const;

 private:
  [[nodiscard]] std::string_view part(std::uint32_t index) const noexcept;
  const std::byte* data_ = nullptr;
};

class Event {
 public:
  [[nodiscard]] Timestamp timestamp() const noexcept;
  [[nodiscard]] Level level() const noexcept;
  /// The message template, `{}` holes with the names they got.
  [[nodiscard]] std::string_view message_template() const noexcept;
  /// Jenkins one-at-a-time over the template's UTF-16 code units: what `@i` shows.
  [[nodiscard]] std::uint32_t event_id() const noexcept;
  [[nodiscard]] ExceptionView exception() const noexcept;
  /// 32 and 16 lower-case hex digits, or empty.
  [[nodiscard]] std::string_view trace_id() const noexcept;
  [[nodiscard]] std::string_view span_id() const noexcept;
  /// What `for_source` set, of the logger that was called, else of one that it writes to (`write_to_logger`); else an
  /// enricher's `SourceContext`, or empty.
  [[nodiscard]] std::string_view source() const noexcept;
  /// Where the call stands in the program.
  [[nodiscard]] std::string_view file() const noexcept;
  [[nodiscard]] std::string_view function() const noexcept;
  [[nodiscard]] std::uint32_t line() const noexcept;
  /// Was anything cut to stay within the limits: in a value, or properties beyond `max_properties()`?
  [[nodiscard]] bool truncated() const noexcept;
  /// How many properties `properties()` gives at most: `CaptureLimits::properties`; the `SuppressedCount` of sampling
  /// filters comes beside them.
  [[nodiscard]] std::uint32_t max_properties() const noexcept { return max_properties_; }
  /// Those that it leaves out for that.
  [[nodiscard]] std::uint64_t omitted_properties() const noexcept;
  /// What there is of properties, under no limit.
  [[nodiscard]] PropertyCounts property_counts() const noexcept;

  class Properties;
  /// Every property once: those of the template, then of the context, the logger, the enrichers, and of the exception
  /// (`ExceptionType`, `ExceptionMessage`). Of equal names the first of these wins. At most `max_properties()` of them.
  [[nodiscard]] Properties properties() const noexcept;
  /// The property that `properties()` has under that name, or would have but for `max_properties()`.
  [[nodiscard]] std::optional<Value> property(std::string_view name) const noexcept;

  /// Appends the message: the template with its holes filled. Values are escaped so that the text stays on one line and
  /// moves no cursor.
  void render_to(OutputBuffer& out, Rendering rendering = Rendering::literal) const;
  [[nodiscard]] std::string message(Rendering rendering = Rendering::literal) const;

  // For the formatters.
  [[nodiscard]] const detail::BoundTemplate& bound_template() const noexcept { return *bound_; }
  /// The value of argument `index`; there are bound_template().types().size() of them.
  [[nodiscard]] Value argument(std::size_t index) const noexcept;
  /// Every argument in order, into `values`, which has room for them all.
  void arguments_into(Value* values) const noexcept;

  /// What properties() gives behind those of the template: context, logger, enrichers, exception.
  [[nodiscard]] Properties ambient_properties() const noexcept;

  /// The same event, with what enrichers added in that block in place of this one's.
  [[nodiscard]] Event with_enrichments(const detail::PropertyBlock& block) const noexcept;
  void copy_enrichments(detail::PropertyBlock& block) const;

  Event(const detail::RecordHeader& record, const detail::BoundTemplate& bound, const detail::PropertyBlock* context,
        const detail::PropertyBlock* logger, const detail::PropertyBlock* extras,
        std::uint32_t max_properties = 128) noexcept
      : record_(&record),
        bound_(&bound),
        context_(context),
        logger_(logger),
        extras_(extras),
        max_properties_(max_properties) {}

 private:
  friend class OwnedEvent;
  friend class EventBuilder;
  friend class detail::EventBatch;
  friend struct detail::EventParts;
  const detail::RecordHeader* record_;
  const detail::BoundTemplate* bound_;
  const detail::PropertyBlock* context_;
  const detail::PropertyBlock* logger_;
  const detail::PropertyBlock* extras_;
  std::uint32_t max_properties_;
};

/// A single-pass range over an event's properties.
class Event::Properties {
 public:
  class Iterator {
   public:
    using value_type = Property;
    using difference_type = std::ptrdiff_t;
    using reference = Property;
    using iterator_category = std::input_iterator_tag;

    Iterator() noexcept = default;
    explicit Iterator(const Event& event, bool template_ones = true) noexcept;
    [[nodiscard]] Property operator*() const noexcept { return item_; }
    [[nodiscard]] const Property* operator->() const noexcept { return &item_; }
    /// Properties passed over so far, for their names were taken.
    [[nodiscard]] std::uint64_t duplicates() const noexcept { return duplicates_; }
    Iterator& operator++() noexcept {
      advance();
      return *this;
    }
    void operator++(int) noexcept { advance(); }
    friend bool operator==(const Iterator& a, std::default_sentinel_t) noexcept { return a.event_ == nullptr; }

   private:
    void advance() noexcept;
    [[nodiscard]] bool shadowed(std::string_view name) const noexcept;
    [[nodiscard]] bool give_suppressed_count() noexcept;
    [[nodiscard]] const detail::PropertyBlock* block() const noexcept;

    const Event* event_ = nullptr;
    unsigned group_ = 0;          // 0 template, 1 context, 2 logger, 3 extras, 4 exception
    std::size_t at_ = 0;          // index in the template, else offset in the block
    std::uint32_t argument_ = 0;  // where `data_` stands, so that arguments in order are walked once
    const std::byte* data_ = nullptr;
    std::uint64_t given_ = 0;
    std::uint64_t duplicates_ = 0;
    bool gave_suppressed_count_ = false;
    Property item_;
  };
  explicit Properties(const Event& event, bool template_ones = true) noexcept
      : event_(&event), template_ones_(template_ones) {}
  [[nodiscard]] Iterator begin() const noexcept { return Iterator(*event_, template_ones_); }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

 private:
  const Event* event_;
  bool template_ones_;
};

/// An event with bytes of its own: for tests, for custom sources, for whatever must outlive the call. Movable, copyable
/// (copies share the bytes, which never change).
class OwnedEvent {
 public:
  explicit OwnedEvent(const Event& event);
  /// An event that no logger made, of a template (read as `dynamic_template` is) and values: for custom sources, and
  /// for tests. Values that take it over 4 MiB are left out with a mark, and it is `truncated()`.
  ///   OwnedEvent event(time, Level::warning, "Disk {Disk} is full", std::array{disk.view()});
  OwnedEvent(Timestamp time, Level level, std::string_view message_template, std::span<const Value> values);
  /// The event, valid as long as this object.
  [[nodiscard]] const Event& view() const noexcept { return *view_; }
  [[nodiscard]] const Event* operator->() const noexcept { return view_; }

 private:
  struct Parts;
  std::shared_ptr<const Parts> parts_;
  const Event* view_;
};

/// The event as one CLEF object, without a line's end.
[[nodiscard]] std::string to_clef(const Event& event, const ClefOptions& options = {});

/// The `@i` of a template: `event_id("Hello, {User}") == 0x0482b02f`.
[[nodiscard]] constexpr std::uint32_t event_id(std::string_view message_template) noexcept {
  std::uint32_t hash = 0;
  const auto unit = [&](std::uint32_t code_unit) {
    hash += code_unit;
    hash += hash << 10U;
    hash ^= hash >> 6U;
  };
  for (std::size_t at = 0; at < message_template.size();) {
    const char32_t code = detail::next_code_point(message_template, at);
    if (code < 0x10000) {
      unit(static_cast<std::uint32_t>(code));
    } else {
      unit(0xD800U + ((static_cast<std::uint32_t>(code) - 0x10000U) >> 10U));
      unit(0xDC00U + ((static_cast<std::uint32_t>(code) - 0x10000U) & 0x3FFU));
    }
  }
  hash += hash << 3U;
  hash ^= hash >> 11U;
  hash += hash << 15U;
  return hash;
}

}  // namespace cairn
