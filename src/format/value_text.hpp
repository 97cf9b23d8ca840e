// Values as text and as JSON: what every formatter shares.
#pragma once

#include <cstdint>
#include <string_view>

#include "cairn/detail/format_spec.hpp"
#include "cairn/event.hpp"
#include "cairn/output_buffer.hpp"
#include "cairn/rendering.hpp"
#include "cairn/value.hpp"

namespace cairn::detail {

/// Appends `value` as a hole shows it. `format`: the hole's, or empty; `spec`: the same already parsed for the value's
/// kind, or null. `escape`: control characters and what else could move a cursor come out visible.
void append_value_text(OutputBuffer& out, const Value& value, std::string_view format, const FormatSpec* spec,
                       Rendering rendering, bool escape);

/// Appends `value` as JSON, as CLEF carries it.
void append_value_json(OutputBuffer& out, const Value& value);

/// Appends `"…":"…(+N properties)"` for those that the event's limit leaves out; the key is no property's.
void append_omitted_properties(OutputBuffer& out, const Event& event, std::uint64_t omitted);

}  // namespace cairn::detail
