#include <gtest/gtest.h>

#include <array>
#include <barrier>
#include <set>
#include <thread>
#include <vector>

#include "capture/thread_state.hpp"

namespace {
using cairn::detail::ThreadNumber;

TEST(ThreadNumber, differs_among_living_threads_and_is_none_where_there_are_too_many) {
  constexpr unsigned count = ThreadNumber::most + 8;
  std::array<unsigned, count> numbers{};
  std::barrier all_have_one(count);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      const ThreadNumber number;
      numbers[i] = number.value();
      all_have_one.arrive_and_wait();
    });
  }
  for (auto& thread : threads) thread.join();
  std::multiset<unsigned> given(numbers.begin(), numbers.end());
  const auto none = given.erase(ThreadNumber::most);
  EXPECT_GE(none, 8U);
  for (const unsigned number : given) {
    EXPECT_LT(number, ThreadNumber::most);
    EXPECT_EQ(given.count(number), 1U) << number;
  }
}

TEST(ThreadNumber, is_the_lowest_that_is_free) {
  const ThreadNumber first;
  unsigned second = 0;
  {
    const ThreadNumber number;
    second = number.value();
    EXPECT_GT(second, first.value());
  }
  EXPECT_EQ(ThreadNumber().value(), second) << "given back";
}

}  // namespace
