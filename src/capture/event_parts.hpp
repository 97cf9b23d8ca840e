// What an event is made of, without a call: for those who read every event.
#pragma once

#include "cairn/detail/record.hpp"
#include "cairn/event.hpp"
#include "capture/property_block.hpp"
#include "template/bound_template.hpp"

namespace cairn::detail {

struct EventParts {
  static const RecordHeader& record(const Event& event) noexcept { return *event.record_; }
  /// What follows the fixed headers of a record: the exception, or the arguments.
  static const std::byte* after_headers(const RecordHeader& record) noexcept {
    const auto* at = reinterpret_cast<const std::byte*>(&record) + sizeof(RecordHeader);
    if (record.is(RecordHeader::function_form)) return at + sizeof(FunctionFormHeader);
    if (record.is(RecordHeader::dynamic_form)) return skip_value(string_type, at + sizeof(FunctionFormHeader));
    return at;
  }
  /// The bytes of the arguments.
  static const std::byte* arguments(const Event& event) noexcept {
    const std::byte* at = after_headers(*event.record_);
    return event.record_->is(RecordHeader::has_exception) ? at + load<std::uint32_t>(at) : at;
  }
  static const PropertyBlock* extras(const Event& event) noexcept { return event.extras_; }
  /// Has it properties beside those of the template?
  static bool has_ambient_properties(const Event& event) noexcept {
    const auto any = [](const PropertyBlock* block) { return block != nullptr && (!block->empty() || block->cut()); };
    return any(event.context_) || any(event.logger_) || any(event.extras_) ||
           event.record_->is(RecordHeader::has_exception);
  }
  /// True only if nothing of it is left out of an output: no value cut, no property hidden, no format ignored.
  static bool shows_everything(const Event& event) noexcept {
    const BoundTemplate& bound = *event.bound_;
    return !event.record_->is(RecordHeader::truncated) && !has_ambient_properties(event) && bound.duplicates() == 0 &&
           bound.ignored_formats() == 0 && bound.mismatched_arguments() == 0 &&
           bound.properties().size() <= event.max_properties_;
  }
  /// False only if its properties are within their limit, for certain.
  static bool may_omit_properties(const Event& event) noexcept {
    return has_ambient_properties(event) || event.bound_->properties().size() > event.max_properties_;
  }
  static bool has_trace(const Event& event) noexcept {
    return event.context_ != nullptr && event.context_->trace_count() != 0;
  }
};

}  // namespace cairn::detail
