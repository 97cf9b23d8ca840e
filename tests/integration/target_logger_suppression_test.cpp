// What sampling filters held back is told by the logger that events go on to, too, whatever it rejects of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <memory>

namespace {
using namespace cairn;
using ::testing::ElementsAre;

using Told = std::pair<std::int64_t, std::uint64_t>;

/// `I`, and what was held back before it.
std::vector<Told> told(const MemorySink& sink) {
  std::vector<Told> all;
  for (const OwnedEvent& event : sink.events()) {
    const auto count = event.view().property("SuppressedCount");
    all.emplace_back(event.view().property("I")->as_int64().value(), count ? count->as_uint64().value() : 0);
  }
  return all;
}

class SuppressedBefore : public ::testing::TestWithParam<bool> {
 protected:
  void write_to(Configuration& config, std::optional<Level> level = {}) {
    auto handle = config.write_to(sink, "sink");
    if (level) handle.with_min_level(*level);
    if (GetParam()) handle.with_queue();
  }
  /// Logs ten events that go on to `target`, every third of them, the tenth as an error.
  void log_to(const Logger& target) {
    const Logger log = Configuration{}.filter_by(filters::sample_every(3)).write_to_logger(target).create_logger();
    for (int i = 1; i <= 10; ++i) log.write(i == 10 ? Level::error : Level::information, "{I}", i);
    EXPECT_EQ(target.flush().status, FlushStatus::ok);
  }
  std::shared_ptr<MemorySink> sink = std::make_shared<MemorySink>();
};

INSTANTIATE_TEST_SUITE_P(Deliveries, SuppressedBefore, ::testing::Bool(),
                         [](const auto& tested) { return tested.param ? "queued" : "synchronous"; });

TEST_P(SuppressedBefore, is_told_where_the_targets_filter_rejects_the_event_that_tells) {
  Configuration target;
  target.filter_by(filters::level(Level::error));
  write_to(target);
  log_to(target.create_logger());
  EXPECT_THAT(told(*sink), ElementsAre(Told{10, 6}));
}

TEST_P(SuppressedBefore, is_told_where_the_filter_of_the_targets_handle_does) {
  Configuration target;
  write_to(target);
  log_to(target.create_logger().add_filter(filters::level(Level::error)));
  EXPECT_THAT(told(*sink), ElementsAre(Told{10, 6}));
}

TEST_P(SuppressedBefore, is_told_where_the_targets_level_does) {
  Configuration target;
  target.minimum_level(Level::error);
  write_to(target);
  log_to(target.create_logger());
  EXPECT_THAT(told(*sink), ElementsAre(Told{10, 6}));
}

TEST_P(SuppressedBefore, is_told_where_the_level_of_the_targets_sink_does) {
  Configuration target;
  write_to(target, Level::error);
  log_to(target.create_logger());
  EXPECT_THAT(told(*sink), ElementsAre(Told{10, 6}));
}

TEST_P(SuppressedBefore, is_added_to_what_the_targets_own_sampling_held_back) {
  Configuration target;
  target.filter_by(filters::sample_every(2));
  write_to(target);
  log_to(target.create_logger());
  EXPECT_THAT(told(*sink), ElementsAre(Told{1, 0}, Told{7, 5})) << "1, 4, 7 and 10 go on, of which 1 and 7 pass";
}

TEST_P(SuppressedBefore, is_no_property_of_that_name_that_an_enricher_gave) {
  Configuration target;
  write_to(target, Level::error);
  const Logger log =
      target.create_logger().with_enricher([](EventBuilder& e) { e.add("SuppressedCount", std::uint64_t{1000}); });
  for (int i = 1; i <= 3; ++i) log.write(i == 3 ? Level::error : Level::information, "{I}", i);
  EXPECT_EQ(log.flush().status, FlushStatus::ok);
  EXPECT_THAT(told(*sink), ElementsAre(Told{3, 1000}));
}

TEST_P(SuppressedBefore, has_its_place_beside_the_limit_of_properties) {
  Configuration config;
  config.capture_limits({.properties = 2}).filter_by(filters::sample_every(2));
  config.enrich_with_property("Late", 1);
  write_to(config);
  const Logger log = config.create_logger();
  for (int i = 1; i <= 3; ++i) log.information("{A} {I}", 0, i);
  EXPECT_EQ(log.flush().status, FlushStatus::ok);
  EXPECT_THAT(told(*sink), ElementsAre(Told{1, 0}, Told{3, 1}));
  const Event& event = sink->events().at(1).view();
  std::vector<std::string> names;
  for (const Property& property : event.properties()) names.emplace_back(property.name);
  EXPECT_THAT(names, ElementsAre("A", "I", "SuppressedCount"));
  EXPECT_EQ(event.omitted_properties(), 1U) << "the enricher's";
  EXPECT_THAT(to_clef(event), testing::HasSubstr(R"x("A":0,"I":3,"SuppressedCount":1,"…":"…(+1 properties)"})x"));
}

TEST_P(SuppressedBefore, takes_no_place_from_a_property) {
  Configuration config;
  config.capture_limits({.properties = 2}).filter_by(filters::sample_every(2));
  write_to(config);
  const Logger log = config.create_logger();
  for (int i = 1; i <= 3; ++i) log.information(std::runtime_error("e"), "{I}", i);
  EXPECT_EQ(log.flush().status, FlushStatus::ok);
  const Event& event = sink->events().back().view();
  std::vector<std::string> names;
  for (const Property& property : event.properties()) names.emplace_back(property.name);
  EXPECT_THAT(names, ElementsAre("I", "SuppressedCount", "ExceptionType"));
  EXPECT_EQ(event.omitted_properties(), 1U) << "ExceptionMessage";
}

// ---- a filter of the sink that throws

TEST_P(SuppressedBefore, a_filter_of_a_sink_that_throws_is_counted) {
  Configuration config;
  config.on_internal_error([](std::string_view) {});
  auto handle = config.write_to(sink, "sink").with_filter([](const Event&) -> bool { throw std::runtime_error("no"); });
  if (GetParam()) handle.with_queue();
  const Logger log = config.create_logger();
  for (int i = 1; i <= 3; ++i) log.information("{I}", i);
  EXPECT_EQ(log.flush().status, FlushStatus::ok);
  EXPECT_THAT(told(*sink), ElementsAre(Told{1, 0}, Told{2, 0}, Told{3, 0}));
  const MetricsSnapshot metrics = log.metrics();
  EXPECT_EQ(metrics.logger.filter_errors, 3U);
  EXPECT_EQ(metrics.logger.filtered, 0U);
  EXPECT_THAT(metrics.to_json(), testing::HasSubstr(R"("filter_errors":3)"));
  EXPECT_THAT(metrics.to_prometheus(), testing::HasSubstr("cairn_logger_filter_errors_total 3"));
}

TEST_P(SuppressedBefore, nothing_is_by_a_filter_that_throws_and_so_lets_pass) {
  Configuration config;
  config.on_internal_error([](std::string_view) {});
  auto handle = config.write_to(sink, "sink")
                    .with_filter(filters::sample_every(2) || filters::matching([](const Event& e) -> bool {
                                   if (e.property("I")->as_int64() != 4) throw std::runtime_error("no");
                                   return false;
                                 }));
  if (GetParam()) handle.with_queue();
  const Logger log = config.create_logger();
  for (int i = 1; i <= 6; ++i) log.information("{I}", i);
  EXPECT_EQ(log.flush().status, FlushStatus::ok);
  EXPECT_THAT(told(*sink), ElementsAre(Told{1, 0}, Told{2, 0}, Told{3, 0}, Told{5, 1}, Told{6, 0}));
  EXPECT_EQ(log.metrics().logger.filter_errors, 2U);
}

// ---- the source

TEST_P(SuppressedBefore, the_source_of_the_targets_handle_is_that_of_events_that_have_none) {
  const auto audit = std::make_shared<MemorySink>();
  Configuration target;
  write_to(target);
  auto handle = target.write_to(audit, "audit").with_filter(filters::source("audit"));
  if (GetParam()) handle.with_queue();
  const Logger sub = target.create_logger().for_source("audit");
  const Logger log = Configuration{}.write_to_logger(sub).create_logger();
  log.information("{I}", 1);
  log.for_source("shop").information("{I}", 2);
  EXPECT_EQ(sub.flush().status, FlushStatus::ok);
  ASSERT_EQ(sink->size(), 2U);
  EXPECT_EQ(sink->events()[0]->source(), "audit");
  EXPECT_EQ(sink->events()[0]->property("SourceContext")->as_string(), "audit");
  EXPECT_EQ(sink->events()[1]->source(), "shop");
  EXPECT_EQ(sink->events()[1]->property("SourceContext")->as_string(), "shop");
  EXPECT_THAT(told(*audit), ElementsAre(Told{1, 0}));
}

}  // namespace
