// What sampling filters held back is told to every sink, whatever the sink's own level and filter take.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <memory>

namespace {
using namespace cairn;
using ::testing::ElementsAre;

/// `I`, and what was held back before it.
std::vector<std::pair<std::int64_t, std::uint64_t>> told(const MemorySink& sink) {
  std::vector<std::pair<std::int64_t, std::uint64_t>> all;
  for (const OwnedEvent& event : sink.events()) {
    const auto count = event.view().property("SuppressedCount");
    all.emplace_back(event.view().property("I")->as_int64().value(), count ? count->as_uint64().value() : 0);
  }
  return all;
}

bool is_not_3(const Event& event) { return event.property("I")->as_int64() != 3; }

class SuppressedCount : public ::testing::TestWithParam<bool> {
 protected:
  void write_to(Configuration& config, const std::shared_ptr<MemorySink>& sink, const std::string& name,
                std::optional<Filter> filter, std::optional<Level> level) {
    auto handle = config.write_to(sink, name);
    if (filter) handle.with_filter(std::move(*filter));
    if (level) handle.with_min_level(*level);
    if (GetParam()) handle.with_queue();
  }
  std::shared_ptr<MemorySink> all = std::make_shared<MemorySink>();
  std::shared_ptr<MemorySink> some = std::make_shared<MemorySink>();
};

INSTANTIATE_TEST_SUITE_P(Deliveries, SuppressedCount, ::testing::Bool(),
                         [](const auto& tested) { return tested.param ? "queued" : "synchronous"; });

TEST_P(SuppressedCount, waits_for_the_next_event_that_the_sinks_filter_takes) {
  Configuration config;
  config.filter_by(filters::sample_every(3));
  write_to(config, all, "all", {}, {});
  write_to(config, some, "some", is_not_3, {});
  const Logger log = config.create_logger();
  for (int i = 0; i < 10; ++i) log.information("{I}", i);
  ASSERT_EQ(log.flush().status, FlushStatus::ok);
  using P = std::pair<std::int64_t, std::uint64_t>;
  EXPECT_THAT(told(*all), ElementsAre(P{0, 0}, P{3, 2}, P{6, 2}, P{9, 2}));
  EXPECT_THAT(told(*some), ElementsAre(P{0, 0}, P{6, 4}, P{9, 2}));
}

TEST_P(SuppressedCount, waits_for_the_next_event_of_the_sinks_levels) {
  Configuration config;
  config.filter_by(filters::sample_every(3));
  write_to(config, all, "all", {}, {});
  write_to(config, some, "some", {}, Level::warning);
  const Logger log = config.create_logger();
  for (int i = 0; i < 10; ++i) log.write(i == 3 || i == 6 ? Level::information : Level::error, "{I}", i);
  ASSERT_EQ(log.flush().status, FlushStatus::ok);
  using P = std::pair<std::int64_t, std::uint64_t>;
  EXPECT_THAT(told(*all), ElementsAre(P{0, 0}, P{3, 2}, P{6, 2}, P{9, 2}));
  EXPECT_THAT(told(*some), ElementsAre(P{0, 0}, P{9, 6}));
}

TEST_P(SuppressedCount, of_the_sinks_own_sampling_is_added_to_that_of_all) {
  Configuration config;
  config.filter_by(filters::sample_every(2));
  write_to(config, some, "some", filters::sample_every(3), {});
  const Logger log = config.create_logger();
  for (int i = 0; i < 13; ++i) log.information("{I}", i);
  ASSERT_EQ(log.flush().status, FlushStatus::ok);
  using P = std::pair<std::int64_t, std::uint64_t>;
  EXPECT_THAT(told(*some), ElementsAre(P{0, 0}, P{6, 5}, P{12, 5}));
}

}  // namespace
