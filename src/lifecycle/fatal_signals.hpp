// A program that dies by a fatal signal or std::terminate first delivers what was logged. The handler only wakes a
// thread and waits for it, 3 s at most; then whatever was installed before gets the signal, or the kernel does, as if
// nothing had been there.
#pragma once

#include <thread>

#include "cairn/signals.hpp"

namespace cairn::detail {

class Root;

/// From now on `root` is delivered when the program dies. Throws std::system_error.
void deliver_before_death(Root& root, const FatalSignalOptions& options);
/// Of a program that dies: that thread crashed as well, after the first, and stands still.
[[nodiscard]] bool has_crashed_too(std::thread::id thread) noexcept;
/// The root is gone, or about to be.
void forget_before_death(Root& root) noexcept;

}  // namespace cairn::detail
