// A stack for signal handlers, a thread: without one a thread whose own stack is used up cannot run them.
#pragma once

namespace cairn::detail {

/// From now on the calling thread has one, and each that comes to use_alternate_stack().
void give_alternate_stacks() noexcept;
/// Gives the calling thread one, where they are given and it has none.
void use_alternate_stack() noexcept;
/// The calling thread ends.
void drop_alternate_stack() noexcept;

}  // namespace cairn::detail
