// Writing where nobody may be reading, and nobody may be held up for long: what Cairn says of itself on stderr.
//
// No write ends the program: a reader that went away is an error and no SIGPIPE, the limit of file sizes one and no
// SIGXFSZ (file_size_signal.hpp). None waits for ever: a reader that is slow is waited for, one that stands still not.
#pragma once

#include <chrono>
#include <string_view>

namespace cairn::detail {

/// Writes all of `bytes` to a descriptor that may be anybody's, blocking or not. False: they could not be written, or
/// not within `patience`; some may be there. Safe from every thread; no cancellation point.
[[nodiscard]] bool write_bounded(int fd, std::string_view bytes, std::chrono::nanoseconds patience) noexcept;

/// A whole line to stderr, with its end, no other of these in the middle of it. It is waited for 100 ms at most; after
/// one that there was no room for no more at all, until one gets through again. What comes after one that was cut short
/// begins on a line of its own. False as above.
[[nodiscard]] bool write_to_stderr(std::string_view line) noexcept;

}  // namespace cairn::detail
