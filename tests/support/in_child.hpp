// Code that must not run in the test's own process: it may be killed, or changes what a whole process has.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cairn::testing {

/// Runs `body` in a child; its result is the child's exit status, or 128 and the signal that ended it.
template <class Body>
int in_child(Body&& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// True: a child forked now runs `body` to its end, which is true.
template <class Body>
bool ends_in_a_child(Body&& body) {
  return in_child([&] {
           ::alarm(20);  // one that hangs ends badly
           return body() ? 0 : 1;
         }) == 0;
}

}  // namespace cairn::testing
