// Which sanitizer a test runs under, for what that one cannot do.
#pragma once

#if defined(__has_feature)  // clang's
#define CAIRN_TESTS_HAVE(feature) __has_feature(feature)
#else
#define CAIRN_TESTS_HAVE(feature) 0
#endif

namespace cairn::testing {

#if defined(__SANITIZE_THREAD__) || CAIRN_TESTS_HAVE(thread_sanitizer)
inline constexpr bool under_thread_sanitizer = true;
#else
inline constexpr bool under_thread_sanitizer = false;
#endif

#if defined(__SANITIZE_ADDRESS__) || CAIRN_TESTS_HAVE(address_sanitizer)
inline constexpr bool under_sanitizer = true;  // of any kind
#else
inline constexpr bool under_sanitizer = under_thread_sanitizer;
#endif

/// A child forked beside other threads may hang in the sanitizer itself: ThreadSanitizer lets it start no thread, and
/// AddressSanitizer (of clang 16) leaves the locks of its allocator as another thread held them at the fork.
inline constexpr bool children_of_threads_hang = under_sanitizer;

}  // namespace cairn::testing

#undef CAIRN_TESTS_HAVE
