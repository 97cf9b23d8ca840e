// Durations as text: a count with its unit (`1.5ms`), or by a pattern (`%H:%M:%S`).
//
//   append_duration(out, 1500, 1, 1000000, nullptr);        // std::chrono::microseconds{1500}: 1500us
//   append_duration(out, 1.5, 1, 1000, &spec_of("%Q %q"));   // 1.5 ms
//
// Patterns take %H %I %M %S %p %T %R %r %j %Q %q %n %t %% and %3f %6f %9f. As in std::format a negative duration has
// its `-` once, before the first number, `%Q` and `%q` are the count and the unit, `%j` the days, and `%S` (and so `%T`
// and `%r`) carries the fraction of a unit finer than a second, here unless the pattern has a fraction of its own.
// `%H` counts on past 24, unless the pattern shows the days: a day must not vanish.
#pragma once

#include <cstdint>
#include <string_view>

#include "cairn/detail/format_spec.hpp"
#include "cairn/output_buffer.hpp"

namespace cairn::format {

/// `ns us ms s min h d` and the other SI units; `[num]s`, `[num/den]s` where a ratio has no name.
void append_duration_unit(OutputBuffer& out, std::int64_t num, std::int64_t den);

/// `count` times `num`/`den` seconds, a reduced ratio of positive numbers, as std::chrono has it. `spec`, of the class
/// duration, may be null. A floating count is the shortest at its own precision; one that `spec` gives rounds it in the
/// default text.
void append_duration(OutputBuffer& out, std::int64_t count, std::int64_t num, std::int64_t den,
                     const detail::FormatSpec* spec);
void append_duration(OutputBuffer& out, std::uint64_t count, std::int64_t num, std::int64_t den,
                     const detail::FormatSpec* spec);
void append_duration(OutputBuffer& out, float count, std::int64_t num, std::int64_t den,
                     const detail::FormatSpec* spec);
void append_duration(OutputBuffer& out, double count, std::int64_t num, std::int64_t den,
                     const detail::FormatSpec* spec);

}  // namespace cairn::format
