// Included before everything else in a build with ThreadSanitizer. That of clang 16 does not know
// pthread_mutex_clocklock, and would report the unlock of every std::timed_mutex: without it the library locks by
// pthread_mutex_timedlock, which it knows.
#pragma once

#include <cstddef>  // the library's configuration

#undef _GLIBCXX_USE_PTHREAD_MUTEX_CLOCKLOCK
