// A template and the types of a call, brought together once: which argument each hole shows, which properties there
// are, what is fixed about their outputs. Immutable after bind(); shared by every event of the call site.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/detail/format_spec.hpp"
#include "cairn/detail/source_place.hpp"
#include "cairn/detail/value_type.hpp"

namespace cairn::detail {

/// What formats a value of this kind takes.
[[nodiscard]] FormatClass format_class(const ValueType& type) noexcept;

/// A run of text, or a hole.
struct Segment {
  std::string text;          // text: unescaped; a hole: as it stands in the template
  std::string_view escaped;  // text: as a text output shows it; padded, see put_padded
  int property = -1;         // the property a hole shows; -1: text, or a hole without an argument
  int alignment = 0;
  std::string format;
  std::optional<FormatSpec> spec;  // where the argument's type takes the format; points into `format`
  bool is_hole = false;
};

struct BoundProperty {
  std::string name;
  std::string_view json_key;  // `,"name":`, escaped, a leading @ doubled; padded, see put_padded
  std::uint32_t argument = 0;
};

class BoundTemplate : public std::enable_shared_from_this<BoundTemplate> {
 public:
  BoundTemplate() = default;
  BoundTemplate(const BoundTemplate&) = delete;
  BoundTemplate& operator=(const BoundTemplate&) = delete;

  /// `expressions`: the arguments as a macro spelled them, for `{}`; else empty.
  void bind(std::string_view text, std::string_view expressions, const ValueType* const* types,
            const SourcePlace& place);

  /// The template's text, `{}` holes with the names they got.
  [[nodiscard]] std::string_view text() const noexcept { return text_; }
  [[nodiscard]] std::uint32_t event_id() const noexcept { return event_id_; }
  [[nodiscard]] const std::vector<Segment>& segments() const noexcept { return segments_; }
  [[nodiscard]] const std::vector<BoundProperty>& properties() const noexcept { return properties_; }
  /// The types of the arguments as they stand in a record: as captured, but for `$`, which makes strings of them.
  [[nodiscard]] const std::vector<const ValueType*>& types() const noexcept { return types_; }
  [[nodiscard]] const std::vector<const ValueType*>& captured_types() const noexcept { return captured_; }
  [[nodiscard]] bool stringifies() const noexcept { return stringifies_; }
  [[nodiscard]] bool stringifies(std::size_t argument) const noexcept {
    return captured_[argument] != types_[argument];
  }
  /// Has some hole a format, so that `@r` is written?
  [[nodiscard]] bool has_formats() const noexcept { return has_formats_; }
  /// `,"@mt":"…"`, escaped; padded, see put_padded.
  [[nodiscard]] std::string_view json_member() const noexcept { return json_member_; }
  /// Is each argument the property of its own place, so that both can be read in one go?
  [[nodiscard]] bool properties_in_order() const noexcept { return properties_in_order_; }
  /// Does each hole show the argument of its own place?
  [[nodiscard]] bool holes_in_order() const noexcept { return holes_in_order_; }
  /// Holes whose argument stands under `__<index>`, for a later hole took their name.
  [[nodiscard]] std::uint32_t duplicates() const noexcept { return duplicates_; }
  /// Holes that no argument came for, and arguments that no hole takes.
  [[nodiscard]] std::uint32_t mismatched_arguments() const noexcept { return mismatched_arguments_; }
  /// Formats of the template that no type of its argument takes: ignored, counted.
  [[nodiscard]] std::uint32_t ignored_formats() const noexcept { return ignored_formats_; }
  [[nodiscard]] const SourcePlace& place() const noexcept { return place_; }
  /// The index of the property of that name, or -1.
  [[nodiscard]] int find(std::string_view name) const noexcept;
  /// What it takes, all in all.
  [[nodiscard]] std::size_t memory_bytes() const noexcept { return memory_bytes_; }

 private:
  void write_pieces();
  [[nodiscard]] std::size_t measure() const noexcept;

  std::string text_;
  std::string pieces_;  // what is fixed about the outputs, one piece behind the other, padded at the end
  std::string_view json_member_;
  std::vector<Segment> segments_;
  std::vector<BoundProperty> properties_;
  std::vector<const ValueType*> types_;
  std::vector<const ValueType*> captured_;
  SourcePlace place_;
  std::size_t memory_bytes_ = 0;
  std::uint32_t event_id_ = 0;
  std::uint32_t duplicates_ = 0;
  std::uint32_t mismatched_arguments_ = 0;
  std::uint32_t ignored_formats_ = 0;
  bool stringifies_ = false;
  bool has_formats_ = false;
  bool properties_in_order_ = false;
  bool holes_in_order_ = false;
};

}  // namespace cairn::detail
