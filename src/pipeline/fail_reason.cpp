#include "pipeline/fail_reason.hpp"

#include <cerrno>

namespace cairn::detail {

std::string_view to_string(FailReason reason) noexcept {
  constexpr std::string_view names[] = {"sink_threw",  "no_space",   "over_quota",  "file_too_large", "io_error",
                                        "closed_pipe", "short_emit", "sink_closed", "worker_died",    "other"};
  return names[static_cast<std::size_t>(reason)];
}

FailReason reason_of(std::error_code error) noexcept {
  if (!error) return FailReason::short_emit;
  if (error.category() != std::generic_category() && error.category() != std::system_category())
    return FailReason::other;
  switch (error.value()) {
    case ENOSPC: return FailReason::no_space;
    case EDQUOT: return FailReason::over_quota;
    case EFBIG: return FailReason::file_too_large;
    case EIO: return FailReason::io_error;
    case EPIPE: return FailReason::closed_pipe;
    default: return FailReason::other;
  }
}

bool may_pass(FailReason reason) noexcept {
  return reason == FailReason::no_space || reason == FailReason::over_quota || reason == FailReason::file_too_large ||
         reason == FailReason::io_error;
}

}  // namespace cairn::detail
