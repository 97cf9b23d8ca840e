// The memory of crash rings in the process's account: a quarter of the budget at most, as nothing of it is reclaimed.
#pragma once

#include "ring/crash_ring.hpp"

namespace cairn::detail {

extern const RingAccount ring_account;

}  // namespace cairn::detail
