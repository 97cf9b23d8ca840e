// Configurations that are wrong say so: every problem at once, each with the value found and what is taken.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "support/log_folder.hpp"
#include "support/metrics_support.hpp"

namespace {

using cairn::testing::LogFolder;

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> problems_of(const cairn::Configuration& configuration) {
  auto made = configuration.try_create_logger();
  if (const auto* error = std::get_if<cairn::ConfigurationError>(&made)) return error->problems();
  return {};
}

TEST(Configuration, refuses_a_logger_without_sinks) {
  EXPECT_THAT(problems_of(cairn::Configuration{}), ElementsAre(HasSubstr("no sinks")));
}

TEST(Configuration, names_every_problem_at_once) {
  const auto problems = problems_of(cairn::Configuration{}
                                        .minimum_level(cairn::Level::warning)
                                        .capture_limits({.depth = 0, .event_bytes = 10})
                                        .write_to_file("")
                                        .write_to_null()
                                        .with_name("a")
                                        .with_min_level(cairn::Level::debug)
                                        .write_to_null()
                                        .with_name("a"));
  EXPECT_EQ(problems.size(), 5U);
  EXPECT_THAT(problems, testing::Contains(AllOf(HasSubstr("event_bytes: 10"), HasSubstr("it takes 1024"))));
  EXPECT_THAT(problems, testing::Contains(
                            AllOf(HasSubstr("with_min_level(Debug)"), HasSubstr("below the logger's level Warning"))));
  EXPECT_THAT(problems, testing::Contains(HasSubstr("two sinks named a")));
  EXPECT_THAT(problems, testing::Contains(HasSubstr("the path is empty")));
  EXPECT_THAT(problems, testing::Contains(HasSubstr("depth: 0")));
}

TEST(Configuration, the_error_says_them_all_in_what) {
  try {
    (void)cairn::Configuration{}.write_to_file("").write_to_file("x/").create_logger();
    FAIL();
  } catch (const cairn::ConfigurationError& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("the path is empty"), HasSubstr("x/ names a folder")));
  }
}

TEST(Configuration, refuses_two_sinks_on_one_path_however_it_is_spelled) {
  const LogFolder folder;
  const auto problems = problems_of(
      cairn::Configuration{}.write_to_file(folder.path("app.log")).write_to_file(folder.path("./sub/../app.log")));
  EXPECT_THAT(problems, ElementsAre(AllOf(HasSubstr("two sinks on one path"), HasSubstr("app.log"))));
}

TEST(Configuration, a_sink_level_below_the_loggers_is_fine_under_a_switch_or_an_override_that_reaches_it) {
  const cairn::LevelSwitch level(cairn::Level::error);
  EXPECT_THAT(
      problems_of(cairn::Configuration{}.minimum_level(level).write_to_null().with_min_level(cairn::Level::debug)),
      IsEmpty());
  EXPECT_THAT(problems_of(cairn::Configuration{}
                              .minimum_level_override("db", cairn::Level::debug)
                              .write_to_null()
                              .with_min_level(cairn::Level::debug)),
              IsEmpty());
}

TEST(Configuration, refuses_a_fallback_cycle) {
  const auto sink = std::make_shared<cairn::MemorySink>();
  EXPECT_THAT(
      problems_of(cairn::Configuration{}
                      .write_to(sink, "first")
                      .with_fallback(cairn::SinkSpec::null().with_fallback(cairn::SinkSpec::sink(sink, "again")))),
      ElementsAre(HasSubstr("fallback cycle")));
}

TEST(Configuration, refuses_a_sink_object_given_twice_a_null_one_and_an_empty_callback) {
  const auto sink = std::make_shared<cairn::MemorySink>();
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to(sink).write_to(sink)), ElementsAre(HasSubstr("given twice")));
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to(std::shared_ptr<cairn::Sink>())),
              ElementsAre(HasSubstr("the sink is null")));
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_callback({})),
              ElementsAre(HasSubstr("the callback is empty")));
}

TEST(Configuration, refuses_overrides_that_are_empty_or_given_twice) {
  const auto problems = problems_of(cairn::Configuration{}
                                        .minimum_level_override("", cairn::Level::debug)
                                        .minimum_level_override("a", cairn::Level::debug)
                                        .minimum_level_override("a", cairn::Level::error)
                                        .write_to_null());
  EXPECT_THAT(problems, ElementsAre(HasSubstr("the source is empty"), HasSubstr("a is given twice")));
}

TEST(Configuration, refuses_file_options_that_cannot_be) {
  const LogFolder folder;
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_file(folder.path("a.log"), {.mode = 0400})),
              ElementsAre(HasSubstr("the owner may not write")));
  EXPECT_THAT(
      problems_of(cairn::Configuration{}.write_to_file(folder.path("a.log"), {.retain_age = std::chrono::seconds(0)})),
      ElementsAre(HasSubstr("retain_age: 0 s")));
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_file(folder.path("a.log"),
                                                               {.buffered = true, .durable = cairn::Durable::batch})),
              ElementsAre(HasSubstr("durable = batch and buffered")));
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_file(folder.path("a.log"),
                                                               {.output_template = "{Timestamp:%Q} {Message"})),
              ElementsAre(HasSubstr("output_template: '{Timestamp:%Q}'"), HasSubstr("output_template: '{Message'")));
}

TEST(Configuration, refuses_a_file_that_cannot_be_opened_and_says_why) {
  const LogFolder folder;
  std::ofstream(folder.path("file")) << "x\n";
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_file(folder.path("file/app.log"))),
              ElementsAre(HasSubstr("file")));
}

TEST(Configuration, starts_with_a_file_that_cannot_be_opened_when_asked_to_retry) {
  const LogFolder folder;
  std::ofstream(folder.path("file")) << "x\n";
  auto log = cairn::Configuration{}
                 .on_internal_error([](std::string_view) {})
                 .write_to_file(folder.path("file/app.log"), {.on_open_failure = cairn::OnOpenFailure::retry})
                 .with_name("f")
                 .create_logger();
  log.information("lost {N}", 1);
  const auto metrics = log.metrics();
  EXPECT_EQ(metrics.sink("f")->accepted, 1U);
  EXPECT_EQ(metrics.sink("f")->failed_total(), 1U);
  EXPECT_THAT(metrics.sink("f")->last_error, testing::Not(IsEmpty()));
}

TEST(Configuration, is_a_value_copies_are_their_own) {
  const auto first = std::make_shared<cairn::MemorySink>();
  const auto second = std::make_shared<cairn::MemorySink>();
  cairn::Configuration base;
  base.write_to(first, "first");
  cairn::Configuration copy = base;
  copy.write_to(second, "second").with_min_level(cairn::Level::error);
  auto log = base.create_logger();
  log.error("only the first");
  EXPECT_EQ(first->size(), 1U);
  EXPECT_EQ(second->size(), 0U);
}

TEST(Configuration, has_what_sets_up_a_sink_kept_and_copied_act_on_it) {
  const auto memory = std::make_shared<cairn::MemorySink>();
  cairn::Configuration config;
  const auto kept = config.write_to(memory, "memory").with_name("kept");
  auto copy = kept;
  copy.with_min_level(cairn::Level::error);
  cairn::Configuration own = kept;
  own.minimum_level(cairn::Level::fatal);
  auto log = config.create_logger();
  log.warning("no");
  log.error("yes");
  EXPECT_EQ(memory->size(), 1U);
  EXPECT_NE(log.metrics().sink("kept"), nullptr);
}

TEST(Configuration, can_be_built_step_by_step) {
  const auto memory = std::make_shared<cairn::MemorySink>();
  cairn::Configuration config;
  config.minimum_level(cairn::Level::verbose);
  config.write_to(memory);
  config.enrich_with_property("Version", "1.2");
  auto log = config.create_logger();
  log.verbose("x");
  ASSERT_EQ(memory->size(), 1U);
  EXPECT_EQ(memory->events()[0]->property("Version")->as_string(), "1.2");
}

std::vector<std::string> names_of(const cairn::Configuration& config) {
  std::vector<std::string> names;
  for (const cairn::SinkCounts& sink : config.create_logger().metrics().sinks) names.push_back(sink.name);
  return names;
}

TEST(Configuration, leaves_names_to_those_that_were_given_them_wherever_they_stand) {
  cairn::Configuration later;
  later.write_to_null();
  later.write_to_callback([](const cairn::Event&) {}).with_name("null");
  EXPECT_THAT(names_of(later), ElementsAre("null#2", "null"));

  cairn::Configuration behind;
  behind.on_internal_error([](std::string_view) {});
  behind.write_to_null().with_name("a").with_fallback(cairn::SinkSpec::null());
  behind.write_to_null().with_name("a/null");
  EXPECT_THAT(names_of(behind), ElementsAre("a", "a/null#2", "a/null"));

  cairn::Configuration twice;
  twice.write_to_null().with_fallback(cairn::SinkSpec::null().with_name("null#2"));
  twice.write_to_null().with_fallback(cairn::SinkSpec::null());
  EXPECT_THAT(names_of(twice), ElementsAre("null", "null#2", "null#3", "null#3/null"));
}

TEST(Configuration, numbers_names_that_read_alike_in_metrics) {
  const LogFolder folder;
  cairn::Configuration config;
  for (const char* const file : {"\xff.log", "\xfe.log", "\xEF\xBF\xBD.log"}) config.write_to_file(folder.path(file));
  const auto log = config.create_logger();
  log.information("one");
  const cairn::MetricsSnapshot now = log.metrics();
  const auto series = cairn::testing::prometheus_samples(now.to_prometheus());  // fails where one is there twice
  std::set<std::string> names;
  const auto json = nlohmann::json::parse(now.to_json());
  for (const auto& sink : json.at("sinks")) names.insert(sink.at("name"));
  EXPECT_EQ(names.size(), 3U);
  EXPECT_EQ(series.at("cairn_sink_accepted_total{sink=file:" + folder.path("\xEF\xBF\xBD.log#3") + ",}"), "1");
  EXPECT_EQ(now.sink("file:" + folder.path("\xff.log"))->accepted, 1U);
  EXPECT_EQ(now.sink("file:" + folder.path("\xfe.log#2"))->accepted, 1U);
}

TEST(Configuration, default_names_are_numbered_when_taken) {
  auto log = cairn::Configuration{}.write_to_null().write_to_null().create_logger();
  const auto metrics = log.metrics();
  EXPECT_NE(metrics.sink("null"), nullptr);
  EXPECT_NE(metrics.sink("null#2"), nullptr);
}

}  // namespace
