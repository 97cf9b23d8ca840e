// The most frequent templates against exact counts.
#include <gtest/gtest.h>

#include <algorithm>
#include <cairn/top_talkers.hpp>
#include <cmath>
#include <map>
#include <random>
#include <string>

namespace {

using cairn::Talker;
using cairn::TopTalkers;

/// `count` templates, the n-th about 1/n as frequent as the first.
std::vector<std::uint32_t> zipf(std::uint32_t count, int events, std::mt19937& random) {
  std::vector<double> weights;
  for (std::uint32_t i = 1; i <= count; ++i) weights.push_back(1.0 / i);
  std::discrete_distribution<std::uint32_t> which(weights.begin(), weights.end());
  std::vector<std::uint32_t> drawn(static_cast<std::size_t>(events));
  for (std::uint32_t& each : drawn) each = which(random);
  return drawn;
}

/// Ids far apart, and some that fall on one place.
std::uint32_t id_of(std::uint32_t number) { return number * 2654435761U; }

TEST(TopTalkers, counts_exactly_while_there_are_no_more_templates_than_counters) {
  TopTalkers talkers(8);
  for (std::uint32_t i = 0; i < 8; ++i) talkers.record(id_of(i), "template " + std::to_string(i), i + 1);
  talkers.record(id_of(3), "template 3", 100);
  const auto top = talkers.top(3);
  ASSERT_EQ(top.size(), 3U);
  EXPECT_EQ(top[0].text, "template 3");
  EXPECT_EQ(top[0].count, 104U);
  EXPECT_EQ(top[0].event_id, id_of(3));
  EXPECT_EQ(top[1].count, 8U);
  EXPECT_EQ(top[2].count, 7U);
  for (const Talker& talker : talkers.top(100)) EXPECT_EQ(talker.error, 0U);
  EXPECT_EQ(talkers.total(), 136U);
}

TEST(TopTalkers, is_never_too_low_and_too_high_by_no_more_than_it_says) {
  std::mt19937 random(42);
  for (const std::uint32_t templates : {10U, 100U, 3000U}) {
    TopTalkers talkers(64);
    std::map<std::uint32_t, std::uint64_t> exact;
    for (const std::uint32_t number : zipf(templates, 100'000, random)) {
      talkers.record(id_of(number), std::to_string(number));
      ++exact[number];
    }
    EXPECT_EQ(talkers.total(), 100'000U);
    std::uint64_t sum = 0;
    std::map<std::uint32_t, Talker> listed;
    for (const Talker& talker : talkers.top(64)) {
      const auto number = static_cast<std::uint32_t>(std::stoul(talker.text));
      EXPECT_EQ(talker.event_id, id_of(number));
      EXPECT_GE(talker.count, exact[number]);
      EXPECT_LE(talker.count - talker.error, exact[number]);
      EXPECT_LE(talker.error, 100'000U / 64);
      EXPECT_TRUE(listed.emplace(number, talker).second) << number << " is listed once";
      sum += talker.count;
    }
    EXPECT_EQ(sum, 100'000U) << "every event is in one counter";
    for (const auto& [number, count] : exact) {
      if (count > 100'000U / 64) {
        EXPECT_TRUE(listed.contains(number)) << number << " has " << count;
      }
    }
  }
}

TEST(TopTalkers, finds_every_template_again_however_its_ids_collide) {
  TopTalkers talkers(64);
  for (int round = 0; round < 200; ++round) {
    // Fresh ones each round push the old ones out; two stay, for they are frequent.
    for (std::uint32_t i = 0; i < 70; ++i) talkers.record(static_cast<std::uint32_t>(round) * 70 + i + 10, "rare");
    talkers.record(1, "one", 1000);
    talkers.record(2, "two", 500);
  }
  const auto top = talkers.top(64);
  EXPECT_EQ(top[0].text, "one");
  EXPECT_EQ(top[1].text, "two");
  EXPECT_LE(top[0].count - 200'000U, top[0].error);
  EXPECT_EQ(std::count_if(top.begin(), top.end(), [](const Talker& t) { return t.event_id == 1; }), 1);
}

TEST(TopTalkers, cuts_a_long_text_between_characters) {
  TopTalkers talkers(1);
  const std::string text = std::string(255, 'x') + "\xC3\xA4 and more";
  talkers.record(5, text);
  EXPECT_EQ(talkers.top(1)[0].text, std::string(255, 'x'));
}

TEST(TopTalkers, begins_anew_after_a_reset) {
  TopTalkers talkers(2);
  for (std::uint32_t i = 0; i < 10; ++i) talkers.record(i, "old", 5);
  talkers.reset();
  EXPECT_EQ(talkers.total(), 0U);
  EXPECT_TRUE(talkers.top(10).empty());
  talkers.record(3, "new");
  ASSERT_EQ(talkers.top(10).size(), 1U);
  EXPECT_EQ(talkers.top(10)[0].count, 1U);
  EXPECT_EQ(talkers.top(10)[0].error, 0U);
}

}  // namespace
