// The exception part of a record, and how a record is closed.
#pragma once

#include "cairn/detail/submit.hpp"

namespace cairn::detail {

/// Writes what was thrown, and what it nests (10 at most); nothing if nothing was.
void write_exception(CaptureWriter& out, const ThrownException& thrown);

/// Pads the record to 8 bytes and notes its size, and whether anything was cut.
void finish_record(CaptureWriter& out);

}  // namespace cairn::detail
