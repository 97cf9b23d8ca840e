// A warm synchronous call allocates nothing. Counted where memory comes from: malloc and its kin, and so operator new
// too. Counting is per thread and off but within a counted stretch, so that the other tests of this program are not
// disturbed.
#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cairn/cairn.hpp"
#include "cairn/configuration.hpp"
#include "cairn/log_context.hpp"

// A sanitizer has its own malloc, and says when it is called.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAIRN_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CAIRN_TEST_SANITIZED 1
#endif
#endif
#ifdef CAIRN_TEST_SANITIZED
#include <sanitizer/allocator_interface.h>
#endif

namespace {

constinit thread_local bool counting = false;
constinit thread_local std::size_t allocations = 0;

void count() noexcept {
  if (counting) ++allocations;
}

}  // namespace

#ifdef CAIRN_TEST_SANITIZED
namespace {
const bool hooked = __sanitizer_install_malloc_and_free_hooks([](const volatile void*, std::size_t) { count(); },
                                                              [](const volatile void*) {}) != 0;
}  // namespace
#else
extern "C" {
void* __libc_malloc(std::size_t size);                     // NOLINT(bugprone-reserved-identifier)
void* __libc_calloc(std::size_t count, std::size_t size);  // NOLINT(bugprone-reserved-identifier)
void* __libc_realloc(void* memory, std::size_t size);      // NOLINT(bugprone-reserved-identifier)
void* malloc(std::size_t size) noexcept {
  count();
  return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) noexcept {
  count();
  return __libc_calloc(number, size);
}
void* realloc(void* memory, std::size_t size) noexcept {
  count();
  return __libc_realloc(memory, size);
}
}
#endif

namespace {

/// Allocations of the calling thread while `f` runs.
template <class F>
std::size_t allocations_in(F&& f) {
  allocations = 0;
  counting = true;
  f();
  counting = false;
  return allocations;
}

struct Chair {
  std::string back;
  std::vector<int> legs;
  double height;
};

enum class Output { null, clef, clef_buffered, text, queued };

std::string name_of(const testing::TestParamInfo<Output>& info) {
  switch (info.param) {
    case Output::null: return "null";
    case Output::clef: return "clef_file";
    case Output::clef_buffered: return "buffered_clef_file";
    case Output::text: return "text_file";
    case Output::queued: return "queued";
  }
  return {};
}

class Allocation : public testing::TestWithParam<Output> {
 protected:
  Allocation() {
    std::string pattern = testing::TempDir() + "cairn-allocation-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    cairn::Configuration config;
    switch (GetParam()) {
      case Output::null: config.write_to_null(); break;
      case Output::clef: config.write_to_file(folder_ + "/a.clef"); break;
      case Output::clef_buffered: config.write_to_file(folder_ + "/a.clef", {.buffered = true}); break;
      case Output::text: config.write_to_file(folder_ + "/a.log"); break;
      case Output::queued: config.write_to_file(folder_ + "/a.clef").with_queue({.max_size = 65536}); break;
    }
    log_ = config.create_logger();
  }
  ~Allocation() override {
    (void)log_.close();
    std::filesystem::remove_all(folder_);
  }

  /// Warms up with more calls than a buffer of a file holds, then counts the allocations of many more.
  template <class F>
  std::size_t warm_allocations(F&& call) {
    for (int i = 0; i < 3000; ++i) call();
    return allocations_in([&] {
      for (int i = 0; i < 3000; ++i) call();
    });
  }

  std::string folder_;
  cairn::Logger log_;
};

TEST(AllocationCounter, sees_operator_new) {
#ifdef CAIRN_TEST_SANITIZED
  ASSERT_TRUE(hooked);
#endif
  EXPECT_EQ(allocations_in([] {
              const auto kept = std::make_unique<std::string>(100, 'x');
              asm volatile("" : : "g"(kept.get()) : "memory");
            }),
            2U);
}

TEST_P(Allocation, none_for_three_scalars) {
  EXPECT_EQ(warm_allocations([&] { log_.information("{A} and {B} and {C}", 1, 2.5, true); }), 0U);
}

TEST_P(Allocation, none_for_floating_points_of_all_digits) {
  EXPECT_EQ(warm_allocations([&] { log_.information("{A} and {B:.3f} and {C}", 0.1 + 0.2, 2.0 / 3.0, 1e300); }), 0U);
}

TEST_P(Allocation, none_for_strings) {
  const std::string text = "a string that is longer than what a std::string keeps inside";
  EXPECT_EQ(warm_allocations([&] {
              log_.information("{A} and {B} and {C}", text, "literal", std::string_view("view\nwith \"escapes\" é"));
            }),
            0U);
}

TEST_P(Allocation, none_for_a_vector_of_sixteen_strings) {
  const std::vector<std::string> texts(16, "each of them longer than what a std::string keeps inside");
  EXPECT_EQ(warm_allocations([&] { log_.information("All of {Texts}", texts); }), 0U);
}

TEST_P(Allocation, none_for_an_aggregate) {
  const Chair chair{"straight", {1, 2, 3, 4}, 0.45};
  EXPECT_EQ(warm_allocations([&] { log_.information("Sold {@Chair}", chair); }), 0U);
}

TEST_P(Allocation, none_with_context_in_force) {
  const auto request = cairn::LogContext::push("RequestId", std::string("0HMVE2E7Q3J5K:00000001"));
  const auto user = cairn::LogContext::push("User", "alice");
  const auto trace = cairn::LogContext::push_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  EXPECT_EQ(warm_allocations([&] { log_.information("{A} and {B}", 1, "two"); }), 0U);
}

TEST_P(Allocation, none_with_a_property_of_the_logger) {
  const cairn::Logger log = log_.for_source("shop::orders").for_context("Shard", 7);
  EXPECT_EQ(warm_allocations([&] { log.information("{A} and {B}", 1, "two"); }), 0U);
}

TEST_P(Allocation, none_for_a_plain_exception) {
  const std::runtime_error error("the disk is full, and this message is no short one");
  EXPECT_EQ(warm_allocations([&] { log_.error(error, "Saving {File} failed", "a.txt"); }), 0U);
}

TEST_P(Allocation, none_for_formats_and_alignments) {
  EXPECT_EQ(warm_allocations([&] { log_.information("{A,10:x} and {B,-8} and {C:>6}", 255, "two", 3); }), 0U);
}

TEST_P(Allocation, none_for_a_level_that_is_off) {
  EXPECT_EQ(warm_allocations([&] { log_.verbose("{A}", 1); }), 0U);
}

TEST_P(Allocation, none_in_the_macro_form) {
  const int attempt = 3;
  EXPECT_EQ(warm_allocations([&] { CAIRN_INFORMATION(log_, "Attempt {} of {Name}", attempt, "upload"); }), 0U);
}

INSTANTIATE_TEST_SUITE_P(Of, Allocation,
                         testing::Values(Output::null, Output::clef, Output::clef_buffered, Output::text,
                                         Output::queued),
                         name_of);

TEST(SignalHandler, a_call_in_it_that_interrupts_a_call_takes_no_memory) {
  static std::atomic<std::size_t> taken;
  taken = 0;
  static const cairn::Logger* current = nullptr;
  const cairn::Logger log = cairn::Configuration{}.write_to_null().with_queue().create_logger();
  current = &log;
  struct sigaction action {};
  action.sa_handler = [](int) { taken += allocations_in([] { current->information("{A} {B}", 1, 2); }); };
  sigaction(SIGUSR1, &action, nullptr);
  std::atomic<bool> warm{false};
  std::atomic<bool> stop{false};
  std::mutex sending;
  std::unique_lock sends(sending);
  std::thread thread([&] {
    log.information("{A} {B}", 1, 2);  // a thread's first call takes memory
    for (warm = true; !stop;) log.information("{A} {B}", 1, 2);
    const std::lock_guard all_sent(sending);  // what came after the thread's end would be a first call again
  });
  while (!warm) std::this_thread::yield();
  while (!log.metrics().logger.rejected.contains("reentrant")) {  // until one has come in the middle of a call
    for (int i = 0; i < 1000; ++i) pthread_kill(thread.native_handle(), SIGUSR1);
  }
  stop = true;
  sends.unlock();
  thread.join();
  EXPECT_EQ(taken, 0U);
}

}  // namespace
