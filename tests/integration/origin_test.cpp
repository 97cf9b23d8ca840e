// The surface of the library Cairn reimplements, row by row (but queues, shutdown and async worlds), and a test for
// each of its defects.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "format/clef_formatter.hpp"
#include "support/log_folder.hpp"

namespace {

using cairn::Level;
using cairn::testing::LogFolder;
using testing::ElementsAre;

std::vector<nlohmann::json> clef_lines(const std::string& path) {
  std::vector<nlohmann::json> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

struct Origin : testing::Test {
  std::shared_ptr<cairn::MemorySink> memory = std::make_shared<cairn::MemorySink>();
  [[nodiscard]] cairn::Configuration config() const {
    cairn::Configuration made;
    made.minimum_level(Level::verbose).write_to(memory, "memory");
    made.on_internal_error([](std::string_view) {});
    return made;
  }
};
using OriginSurface = Origin;
using OriginDefect = Origin;

TEST_F(OriginSurface, templates_render_to_text_and_json_without_a_logger) {
  const auto r = cairn::render("Hello {Name}, {Age:03d}", "Ann", 7);
  EXPECT_EQ(r.text, "Hello Ann, 007");
  EXPECT_EQ(nlohmann::json::parse(r.clef())["Age"], 7);
}

TEST_F(OriginSurface, templates_parse_into_holes_and_back_to_their_text) {
  const auto t = cairn::MessageTemplate::parse("a {{x}} {B,-5:x} {@C}");
  EXPECT_EQ(t.text(), "a {{x}} {B,-5:x} {@C}");
  ASSERT_EQ(t.holes().size(), 2U);
  EXPECT_EQ(t.holes()[0].name, "B");
  EXPECT_EQ(t.holes()[0].alignment, -5);
  EXPECT_EQ(t.holes()[0].format, "x");
  EXPECT_EQ(t.holes()[1].capture, '@');
}

TEST_F(OriginSurface, loggers_have_every_call_and_handle) {
  auto log = config().create_logger();
  auto child = log.for_context("A", 1)
                   .for_source("src")
                   .with_enricher([](cairn::EventBuilder& e) { e.add("E", 2); })
                   .add_filter(cairn::filters::always())
                   .add_min_level_filter(Level::debug);
  child.verbose("below");
  child.write(Level::debug, "at {N}", 1);
  EXPECT_EQ(memory->size(), 1U);
  EXPECT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(log.close().status, cairn::FlushStatus::ok);
}

TEST_F(OriginSurface, filters_compose_and_the_empty_ones_are_as_logic_has_them) {
  namespace f = cairn::filters;
  memory->clear();
  auto log = config().create_logger();
  log.information("x {N}", 1);
  const auto kept = memory->events().at(0);
  const cairn::Event& event = kept.view();
  EXPECT_TRUE(f::all({})(event));
  EXPECT_FALSE(f::any({})(event));
  EXPECT_TRUE(f::none({})(event));
  EXPECT_TRUE(f::not_(f::never())(event));
  EXPECT_TRUE(
      (f::level(Level::information) && f::property("N", 1) && f::has_property("N") && !f::level(Level::error))(event));
  EXPECT_TRUE(f::matching([](const cairn::Event& e) { return e.message() == "x 1"; })(event));
}

TEST_F(OriginSurface, contexts_push_pop_carry_and_generate_ids) {
  auto log = config().create_logger();
  {
    const auto a = cairn::LogContext::push("A", 1);
    const auto id = cairn::LogContext::push_correlation_id();
    EXPECT_EQ(cairn::LogContext::correlation_id().size(), 36U);
    const auto snapshot = cairn::LogContext::snapshot();
    cairn::LogContext::clear();
    log.information("cleared");
    const cairn::LogContext::Scope scope(snapshot);
    log.information("restored");
    EXPECT_EQ(cairn::LogContext::current("A")->view().as_int64(), 1);
    EXPECT_GT(cairn::LogContext::size_bytes(), 0U);
  }
  EXPECT_EQ(cairn::LogContext::with("B", 2, [] { return cairn::LogContext::current("B")->view().as_int64(); }), 2);
  const auto events = memory->events();
  EXPECT_FALSE(events[0]->property("A"));
  EXPECT_EQ(events[1]->property("A")->as_int64(), 1);
}

TEST_F(OriginSurface, sinks_of_every_kind_take_events) {
  const LogFolder folder;
  std::ostringstream stream;
  int called = 0;
  auto log = config()
                 .write_to_file(folder.path("a.clef"))
                 .write_to_file(folder.path("a.log"), {.rolling = cairn::Rolling::hour})
                 .write_to_stream(stream, {.format = cairn::Format::clef})
                 .write_to_callback([&](const cairn::Event&) { ++called; })
                 .write_to_null()
                 .create_logger();
  log.warning("to {All}", "all");
  log.close();
  EXPECT_EQ(called, 1);
  EXPECT_EQ(nlohmann::json::parse(stream.str())["All"], "all");
  EXPECT_EQ(clef_lines(folder.path("a.clef")).at(0)["@l"], "Warning");
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(folder.path())) ++files;
  EXPECT_GE(files, 2U);
}

// ---- the defects

TEST_F(OriginDefect, n02_counts_are_connected_to_what_happens) {
  const LogFolder folder;
  auto log = config().write_to_file(folder.path("a.clef")).with_name("file").create_logger();
  log.information("x {N}", 1);
  const auto metrics = log.metrics();
  EXPECT_EQ(metrics.sink("file")->emitted, 1U);
  EXPECT_EQ(metrics.sink("file")->bytes_written, std::filesystem::file_size(folder.path("a.clef")));
}

TEST_F(OriginDefect, n03_formats_alignment_capture_and_escapes_hold_in_log_calls) {
  auto log = config().create_logger();
  struct P {
    int x;
  };
  log.information("{{Name}} {N,5:03d}| {@P} {$Q}", 7, P{1}, P{2});
  EXPECT_EQ(memory->messages().at(0), R"({Name}   007| {"x":1,"$type":"P"} {"x":2,"$type":"P"})");
  EXPECT_EQ(memory->events()[0]->property("Q")->kind(), cairn::ValueKind::string);
}

TEST_F(OriginDefect, n04_values_are_never_scanned_for_holes) {
  auto log = config().create_logger();
  log.information("{A} {B}", "{B}", "secret");
  EXPECT_EQ(memory->messages().at(0), "{B} secret");
}

TEST_F(OriginDefect, n05_alignment_pads) {
  auto log = config().create_logger();
  log.information("|{A,4}|{B,-4}|", 1, 2);
  EXPECT_EQ(memory->messages().at(0), "|   1|2   |");
}

TEST_F(OriginDefect, n06_clef_has_exceptions_fractions_escapes_single_keys_and_valid_numbers) {
  const LogFolder folder;
  auto log = config().write_to_file(folder.path("a.clef")).create_logger().for_context("@odd", 1);
  const auto context = cairn::LogContext::push("N", "context");
  log.error(std::runtime_error("boo"), "{N}", std::nan(""));
  log.close();
  std::ifstream in(folder.path("a.clef"));
  std::string line;
  std::getline(in, line);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["@x"], "std::runtime_error: boo");
  EXPECT_EQ(json["@t"].get<std::string>().size(), std::string("2026-01-31T17:05:09.1234567Z").size());
  EXPECT_EQ(json["@@odd"], 1);
  EXPECT_EQ(json["N"], "NaN");
  EXPECT_EQ(line.find("\"N\":"), line.rfind("\"N\":"));
}

int evaluated = 0;
int evaluate() { return ++evaluated; }

TEST_F(OriginDefect, n07_arguments_are_not_evaluated_when_the_level_is_off) {
  auto log = config().minimum_level(Level::error).create_logger();
  CAIRN_DEBUG(log, "{N}", evaluate());
  EXPECT_EQ(evaluated, 0);
}

struct SteppedClock final : cairn::Clock {
  cairn::Timestamp time{};
  cairn::Timestamp now() noexcept override { return time; }
  std::chrono::nanoseconds steady() noexcept override { return time.time_since_epoch(); }
};

TEST_F(OriginDefect, n08_files_roll_by_the_events_time_and_are_named_by_it) {
  const LogFolder folder;
  SteppedClock clock;
  clock.time = cairn::Timestamp(std::chrono::sys_days(std::chrono::year(2026) / 1 / 31) + std::chrono::hours(23));
  auto log =
      config().use_clock(clock).write_to_file(folder.path("a.log"), {.rolling = cairn::Rolling::day}).create_logger();
  log.information("last of january");
  clock.time += std::chrono::hours(2);
  log.information("first of february");
  log.close();
  log.close();  // a second close does nothing
  EXPECT_NE(folder.read("a-20260131.log").find("last of january"), std::string::npos);
  EXPECT_NE(folder.read("a-20260201.log").find("first of february"), std::string::npos);
}

TEST_F(OriginDefect, n09_sinks_and_filters_run_in_order_and_a_property_keeps_the_correlation_id) {
  std::string order;
  auto log = config()
                 .filter_by([&](const cairn::Event&) { return order += "1", true; })
                 .filter_by([&](const cairn::Event&) { return order += "2", true; })
                 .write_to_callback([&](const cairn::Event&) { order += "a"; })
                 .write_to_callback([&](const cairn::Event&) { order += "b"; })
                 .create_logger();
  const auto id = cairn::LogContext::push_correlation_id("the-id");
  const auto more = cairn::LogContext::push("More", 1);
  log.for_context("A", 1).information("x");
  EXPECT_EQ(order, "12ab");
  EXPECT_EQ(memory->events()[0]->property("CorrelationId")->as_string(), "the-id");
}

TEST_F(OriginDefect, n10_correlation_ids_do_not_repeat) {
  std::set<std::string> ids;
  for (int i = 0; i < 10000; ++i) ids.insert(cairn::LogContext::new_correlation_id());
  EXPECT_EQ(ids.size(), 10000U);
}

TEST_F(OriginDefect, n13_one_sinks_exception_does_not_silence_the_others) {
  int after = 0;
  auto log = config()
                 .write_to_callback([](const cairn::Event&) { throw std::runtime_error("x"); })
                 .write_to_callback([&](const cairn::Event&) { ++after; })
                 .create_logger();
  log.information("x");
  log.information("y");
  EXPECT_EQ(after, 2);
}

TEST_F(OriginDefect, n16_bool_and_numbers_are_different) {
  auto log = config().create_logger();
  log.information("{T} {One}", true, 1);
  const auto event = memory->events().at(0);
  EXPECT_FALSE(*event->property("T") == *event->property("One"));
  EXPECT_FALSE(cairn::filters::property("T", 1)(event.view()));
  EXPECT_TRUE(cairn::filters::property("T", true)(event.view()));
  EXPECT_EQ(event->message(), "true 1");
}

}  // namespace
