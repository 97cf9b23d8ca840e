// `$`: the record again, with the arguments asked for as strings turned into strings.
#pragma once

#include "cairn/detail/capture_writer.hpp"
#include "cairn/detail/record.hpp"
#include "template/bound_template.hpp"

namespace cairn::detail {

/// Writes `record` into `buffer` with its `$` arguments as the text a message shows; gives the copy, valid as long as
/// the buffer.
[[nodiscard]] const RecordHeader* stringify(const RecordHeader& record, const BoundTemplate& bound,
                                            CaptureBuffer& buffer, const CaptureLimits& limits);

}  // namespace cairn::detail
