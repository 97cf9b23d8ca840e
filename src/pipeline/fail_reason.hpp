// Why a sink did not take an event: the names that metrics count by, and which of them may pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>

#include "pipeline/call_ledger.hpp"

namespace cairn::detail {

enum class FailReason : std::uint8_t {
  sink_threw,
  no_space,
  over_quota,
  file_too_large,
  io_error,
  closed_pipe,
  short_emit,
  sink_closed,
  worker_died,  // the sink ended the thread that delivered to it
  other
};
inline constexpr std::size_t fail_reasons = CallerLedger::reasons;
static_assert(static_cast<std::size_t>(FailReason::other) + 1 == fail_reasons);
[[nodiscard]] std::string_view to_string(FailReason reason) noexcept;
[[nodiscard]] FailReason reason_of(std::error_code error) noexcept;
/// Storage that may heal: the same events are tried again. Of a log file more may pass (rolling_file.hpp).
[[nodiscard]] bool may_pass(FailReason reason) noexcept;

}  // namespace cairn::detail
