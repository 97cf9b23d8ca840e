// Which wall a clock hangs on: the zone that times are written in.
//
//   cairn::FileOptions{.time_zone = cairn::TimeZone::local}
#pragma once

#include <cstdint>

namespace cairn {

/// The zone in which an output writes its times, and in which a file rolls over at midnight. Events themselves carry
/// UTC always; this is only how they are shown.
enum class TimeZone : std::uint8_t {
  utc,    ///< Universal time: the same on every machine, and no hour comes twice.
  local,  ///< The machine's zone (TZ, /etc/localtime), daylight saving included.
};

}  // namespace cairn
