// The surface of the library Cairn reimplements, row by row (but queues and async worlds), and a test for
// each of its defects.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cairn/all.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "format/clef_formatter.hpp"
#include "support/log_folder.hpp"

namespace {

using cairn::Level;
using cairn::testing::LogFolder;
using testing::ElementsAre;
using namespace std::chrono_literals;

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

TEST_F(OriginSurface, levels_compare_and_are_read_and_written_in_both_forms) {
  EXPECT_LT(Level::verbose, Level::debug);
  EXPECT_GE(Level::fatal, Level::error);
  for (const Level level :
       {Level::verbose, Level::debug, Level::information, Level::warning, Level::error, Level::fatal}) {
    EXPECT_EQ(cairn::parse_level(cairn::to_string(level)), level);
    EXPECT_EQ(cairn::parse_level(cairn::to_short_string(level)), level);
  }
  EXPECT_EQ(cairn::parse_level("wArNiNg"), Level::warning);
  EXPECT_EQ(cairn::parse_level("wrn"), Level::warning);
  EXPECT_FALSE(cairn::parse_level("loud"));
}

TEST_F(OriginSurface, six_functions_and_six_macros_reach_their_levels) {
  const auto log = config().create_logger();
  log.verbose("{N}", 0);
  log.debug("{N}", 1);
  log.information("{N}", 2);
  log.warning("{N}", 3);
  log.error("{N}", 4);
  log.fatal("{N}", 5);
  CAIRN_VERBOSE(log, "{N}", 0);
  CAIRN_DEBUG(log, "{N}", 1);
  CAIRN_INFORMATION(log, "{N}", 2);
  CAIRN_WARNING(log, "{N}", 3);
  CAIRN_ERROR(log, "{N}", 4);
  CAIRN_FATAL(log, "{N}", 5);
  const auto events = memory->events();
  ASSERT_EQ(events.size(), 12U);
  for (std::size_t i = 0; i < events.size(); ++i)
    EXPECT_EQ(static_cast<std::size_t>(events[i]->level()), i % 6) << "in the order of the levels";
  const int count = 7;
  CAIRN_INFORMATION(log, "names from the scope: {}", count);
  EXPECT_EQ(memory->events().back()->property("count")->as_int64(), 7);
}

TEST_F(OriginSurface, an_exception_may_stand_before_the_template_at_every_level) {
  const auto log = config().create_logger();
  const std::runtime_error why("why");
  const auto pointer = std::make_exception_ptr(std::logic_error("held"));
  log.verbose(why, "x");
  log.debug(why, "x");
  log.information(why, "x");
  log.warning(why, "x");
  log.error(why, "x {N}", 1);
  log.fatal(pointer, "x");
  log.write(Level::warning, why, "x");
  const auto events = memory->events();
  ASSERT_EQ(events.size(), 7U);
  for (const cairn::OwnedEvent& event : events) EXPECT_TRUE(event->exception());
  EXPECT_EQ(events[5]->exception().type(), "std::logic_error");
  EXPECT_EQ(events[4]->exception().message(), "why");
}

TEST_F(OriginSurface, events_are_made_read_and_written_as_json_without_a_logger) {
  const cairn::Timestamp time(std::chrono::sys_days(std::chrono::year(2026) / 1 / 31));
  const cairn::OwnedValue name("Ann");
  const cairn::OwnedValue age(7);
  const cairn::OwnedEvent event(time, Level::warning, "{Name} is {Age:03d} {$Age2}",
                                std::array{name.view(), age.view(), age.view()});
  EXPECT_EQ(event->timestamp(), time);
  EXPECT_EQ(event->level(), Level::warning);
  EXPECT_EQ(event->message_template(), "{Name} is {Age:03d} {$Age2}");
  EXPECT_EQ(event->message(), "Ann is 007 7");
  EXPECT_EQ(event->property("Age")->as_int64(), 7);
  EXPECT_EQ(event->property("Age2")->as_string(), "7");
  EXPECT_FALSE(event->exception());
  EXPECT_EQ(
      cairn::to_clef(event.view()),
      R"({"@t":"2026-01-31T00:00:00.0000000Z","@mt":"{Name} is {Age:03d} {$Age2}","@r":["007"],"@l":"Warning","Name":"Ann","Age":7,"Age2":"7"})");
  EXPECT_EQ(nlohmann::json::parse(cairn::to_clef(event.view(), {.with_message = true}))["@m"], "Ann is 007 7");
  const cairn::OwnedEvent copy(event.view());
  EXPECT_EQ(cairn::to_clef(copy.view()), cairn::to_clef(event.view()));
}

TEST_F(OriginSurface, an_event_of_values_over_its_bound_says_so_and_stays_whole) {
  const cairn::OwnedValue megabytes(std::string(60'000, 'm'));
  const std::vector<cairn::Value> many(400'000, megabytes.view());
  const cairn::OwnedEvent event(cairn::Timestamp{}, Level::debug, "{A}", many);
  EXPECT_TRUE(event->truncated());
  EXPECT_EQ(event->property("__69")->as_string(), "…(+60004 bytes)");
  EXPECT_TRUE(event->property("__399999")->is_null()) << "no room even for a mark";
  EXPECT_EQ(event->property("A")->as_string()->size(), 60'000U);
}

TEST_F(OriginSurface, the_process_wide_logger_is_silent_before_it_is_set_and_has_every_call) {
  cairn::close_and_flush();
  EXPECT_FALSE(cairn::is_enabled(Level::fatal));
  EXPECT_NO_THROW(cairn::fatal("nobody hears {N}", 1));
  cairn::set_logger(config().create_logger());
  EXPECT_TRUE(cairn::is_enabled(Level::verbose));
  cairn::verbose("{N}", 1);
  cairn::debug("{N}", 1);
  cairn::information("{N}", 1);
  cairn::warning("{N}", 1);
  cairn::error(std::runtime_error("x"), "{N}", 1);
  cairn::fatal("{N}", 1);
  cairn::write(Level::error, "{N}", 1);
  cairn::log().for_context("A", 1).for_source("src").information("{N}", 1);
  EXPECT_EQ(cairn::log().flush().status, cairn::FlushStatus::ok);
  ASSERT_EQ(memory->size(), 8U);
  EXPECT_EQ(memory->events().back()->source(), "src");
  cairn::close_and_flush();
  cairn::information("after {N}", 1);
  EXPECT_EQ(memory->size(), 8U);
}

TEST_F(OriginSurface, a_configuration_has_six_levels_enrichers_and_filters) {
  EXPECT_TRUE(config().verbose().create_logger().is_enabled(Level::verbose));
  EXPECT_TRUE(config().debug().create_logger().is_enabled(Level::debug));
  EXPECT_TRUE(config().information().create_logger().is_enabled(Level::information));
  EXPECT_FALSE(config().information().create_logger().is_enabled(Level::debug));
  EXPECT_FALSE(config().warning().create_logger().is_enabled(Level::information));
  EXPECT_FALSE(config().error().create_logger().is_enabled(Level::warning));
  EXPECT_FALSE(config().fatal().create_logger().is_enabled(Level::error));
  EXPECT_TRUE(config().fatal().create_logger().is_enabled(Level::fatal));

  auto made = config();
  const auto log = made.enrich_with([](cairn::EventBuilder& e) { e.add("E", 1); })
                       .enrich_with_property("P", 2)
                       .filter_by([](const cairn::Event& e) { return e.message() != "no"; })
                       .filter_by_min_level(Level::warning)
                       .create_logger();
  log.error("no");
  log.information("below");
  log.warning("yes");
  ASSERT_EQ(memory->messages(), std::vector<std::string>{"yes"});
  EXPECT_EQ(memory->events()[0]->property("E")->as_int64(), 1);
  EXPECT_EQ(memory->events()[0]->property("P")->as_int64(), 2);
}

TEST_F(OriginSurface, of_two_levels_the_stricter_wins_for_every_kind_of_sink) {
  const LogFolder folder;
  std::ostringstream strict;
  std::ostringstream open;
  auto log = config()
                 .write_to_file(folder.path("strict.log"), {.output_template = "{Level:u3} {Message}{NewLine}"})
                 .with_min_level(Level::error)
                 .write_to_stream(strict)
                 .with_min_level(Level::error)
                 .write_to_stream(open)
                 .create_logger();
  log.warning("low");
  log.error("high");
  log.close();
  EXPECT_EQ(folder.read("strict.log"), "ERR high\n");
  EXPECT_EQ(strict.str().find("low"), std::string::npos);
  EXPECT_NE(strict.str().find("high"), std::string::npos);
  EXPECT_NE(open.str().find("low"), std::string::npos);
}

TEST_F(OriginSurface, the_console_takes_colours_a_threshold_for_stderr_a_layout_and_clef) {
  const auto shown = [](cairn::ConsoleOptions options) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const auto log = cairn::Configuration{}.write_to_console(std::move(options)).create_logger();
    log.information("out {N}", 1);
    log.error("err {N}", 2);
    return std::pair(testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr());
  };
  const auto plain = shown({.output_template = "{Level:u3} {Message}{NewLine}", .stderr_from = Level::error});
  EXPECT_EQ(plain.first, "INF out 1\n");
  EXPECT_EQ(plain.second, "ERR err 2\n");
  const auto coloured = shown({.theme = cairn::Theme::ansi, .colour = cairn::Colour::always});
  EXPECT_NE(coloured.first.find("\x1b["), std::string::npos);
  const auto clef = shown({.format = cairn::Format::clef});
  EXPECT_EQ(nlohmann::json::parse(clef.first.substr(0, clef.first.find('\n')))["N"], 1);
}

TEST_F(OriginSurface, json_goes_to_an_open_descriptor) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  auto log = config().write_to_descriptor(ends[1], {.format = cairn::Format::clef}).create_logger();
  log.information("{N}", 1);
  char line[512];
  const ssize_t got = ::read(ends[0], line, sizeof(line));
  ASSERT_GT(got, 0);
  EXPECT_EQ(nlohmann::json::parse(std::string(line, static_cast<std::size_t>(got)))["N"], 1);
  log.close();
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(OriginSurface, contexts_take_several_properties_timeouts_and_ids_and_know_their_size) {
  cairn::LogContext::clear();
  const auto log = config().create_logger();
  {
    const auto several = cairn::LogContext::push_properties({{"A", 1}, {"B", "two"}});
    const auto id = cairn::LogContext::push_correlation_id("mine");
    const auto gone = cairn::LogContext::push("Gone", 1, std::chrono::nanoseconds(0));
    EXPECT_EQ(cairn::LogContext::correlation_id(), "mine");
    log.information("x");
    EXPECT_EQ(memory->events().back()->property("B")->as_string(), "two");
    EXPECT_EQ(memory->events().back()->property("CorrelationId")->as_string(), "mine");
    EXPECT_FALSE(memory->events().back()->property("Gone"));
    EXPECT_GE(cairn::LogContext::size_bytes(), 3U * 32);
  }
  EXPECT_EQ(cairn::LogContext::size_bytes(), 0U);
  const std::uint64_t cuts = cairn::LogContext::cut_count();
  const auto much = cairn::LogContext::push("Much", std::string(5000, 'x'));
  EXPECT_EQ(cairn::LogContext::cut_count(), cuts + 1) << "over 4 KiB: not pushed, counted";
}

TEST_F(OriginSurface, a_snapshot_carries_the_context_to_another_thread) {
  const auto log = config().create_logger();
  const auto id = cairn::LogContext::push_correlation_id("carried");
  const auto snapshot = cairn::LogContext::snapshot();
  std::thread([&] {
    log.information("bare");
    const cairn::LogContext::Scope scope(snapshot);
    log.information("carried");
  }).join();
  EXPECT_FALSE(memory->events()[0]->property("CorrelationId"));
  EXPECT_EQ(memory->events()[1]->property("CorrelationId")->as_string(), "carried");
}

TEST_F(OriginSurface, what_a_sink_fails_on_goes_to_its_fallback_and_the_program_is_told) {
  auto fallback = std::make_shared<cairn::MemorySink>();
  std::string why;
  auto made = config();
  made.write_to_callback([](const cairn::Event&) { throw std::runtime_error("primary is gone"); })
      .with_fallback(cairn::SinkSpec::sink(fallback, "fallback"),
                     [&](std::size_t, std::string_view reason) { why = reason; });
  made.create_logger().information("x");
  EXPECT_EQ(fallback->messages(), std::vector<std::string>{"x"});
  EXPECT_EQ(why, "primary is gone");
}

TEST_F(OriginSurface, a_circuit_breaker_guards_any_call_and_has_state_statistics_and_reset) {
  cairn::CircuitBreaker breaker({.failures = 2, .timeout = std::chrono::milliseconds(50)});
  EXPECT_EQ(*breaker.call([] { return 7; }), 7);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(breaker.call([] { throw std::runtime_error("down"); }).exception());
  EXPECT_EQ(breaker.state(), cairn::CircuitState::open);
  EXPECT_TRUE(breaker.call([] { return 7; }).refused());
  const cairn::CircuitBreakerStats stats = breaker.stats();
  EXPECT_EQ(stats.failures, 2U);
  EXPECT_EQ(stats.state, cairn::CircuitState::open);
  EXPECT_TRUE(stats.last_failure.has_value());
  breaker.reset();
  EXPECT_EQ(breaker.state(), cairn::CircuitState::closed);
  EXPECT_EQ(breaker.stats().failures, 0U);
}

TEST_F(OriginSurface, sinks_have_a_circuit_breaker_queued_or_not) {
  for (const bool queued : {false, true}) {
    auto fallback = std::make_shared<cairn::MemorySink>();
    auto made = config();
    auto sink = made.write_to_callback([](const cairn::Event&) { throw std::runtime_error("primary is gone"); });
    sink.with_name("primary")
        .with_circuit_breaker({.failures = 1, .timeout = std::chrono::minutes(1)})
        .with_fallback(cairn::SinkSpec::sink(fallback, "fallback"));
    if (queued) sink.with_queue();
    auto log = made.create_logger();
    for (int i = 0; i < 10; ++i) log.information("{N}", i);
    ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
    EXPECT_EQ(log.metrics().sink("primary")->diverted, 10U);
    EXPECT_EQ(log.metrics().sink("fallback")->emitted, 10U);
    EXPECT_EQ(log.circuit_breaker("primary")->stats().failures, 1U);
  }
}

TEST_F(OriginSurface, a_file_whose_path_cannot_be_opened_is_an_error_or_heals_as_asked) {
  const LogFolder folder;
  folder.write("taken", "a file, and no directory");
  EXPECT_THROW(static_cast<void>(config().write_to_file(folder.path("taken/a.log")).create_logger()),
               cairn::ConfigurationError);
  auto fallback = std::make_shared<cairn::MemorySink>();
  auto made = config();
  made.write_to_file(folder.path("taken/a.log"), {.on_open_failure = cairn::OnOpenFailure::retry})
      .with_fallback(cairn::SinkSpec::sink(fallback, "fallback"));
  made.create_logger().information("meanwhile");
  EXPECT_EQ(fallback->messages(), std::vector<std::string>{"meanwhile"});
}

TEST_F(OriginSurface, a_configuration_that_cannot_be_says_everything_that_is_wrong) {
  const LogFolder folder;
  cairn::Configuration wrong;
  EXPECT_THROW(static_cast<void>(wrong.create_logger()), cairn::ConfigurationError) << "no sinks";
  wrong.warning();
  wrong.write_to_file(folder.path("a.log")).with_min_level(Level::debug);
  wrong.write_to_file(folder.path("a.log"));
  const auto made = wrong.try_create_logger();
  ASSERT_TRUE(std::holds_alternative<cairn::ConfigurationError>(made));
  EXPECT_EQ(std::get<cairn::ConfigurationError>(made).problems().size(), 2U) << "contradictory levels, one path twice";
}

TEST_F(OriginSurface, shutdowns_are_immediate_flush_what_is_pending_or_are_graceful_and_run_handlers_once) {
  using cairn::ShutdownStrategy;
  for (const auto strategy :
       {ShutdownStrategy::immediate(), ShutdownStrategy::flush_pending(), ShutdownStrategy::graceful(1min)}) {
    cairn::Shutdown shutdown;
    std::atomic<int> ran{0};
    shutdown.on_shutdown([&] { ++ran; }, {.timeout = 1min});
    const bool runs = strategy.kind() != ShutdownStrategy::Kind::immediate;
    EXPECT_FALSE(shutdown.is_shutdown());
    EXPECT_EQ(shutdown.execute(strategy).status, cairn::ShutdownStatus::completed);
    EXPECT_TRUE(shutdown.is_shutdown());
    EXPECT_EQ(shutdown.execute(strategy).handlers.size(), 1U) << "a second time: the first report";
    EXPECT_EQ(ran, runs ? 1 : 0);
    shutdown.reset();
    EXPECT_FALSE(shutdown.is_shutdown());
  }
}

TEST_F(OriginSurface, loggers_are_shut_down_with_a_strategy_and_a_configured_timeout) {
  auto log = config().with_shutdown_timeout(1min).with_graceful_shutdown().create_logger();
  log.information("x");
  const cairn::ShutdownReport report = log.shutdown(cairn::ShutdownStrategy::graceful(1min));
  EXPECT_EQ(report.status, cairn::ShutdownStatus::completed);
  EXPECT_EQ(report.sink("memory")->emitted, 1U);
  EXPECT_EQ(log.close().status, cairn::FlushStatus::ok) << "close() is a shutdown too: it was done";
}

// ---- the defects

TEST_F(OriginDefect, n01_the_shutdown_handler_registered_last_starts_first) {
  cairn::Shutdown shutdown;
  for (int i = 0; i < 8; ++i) shutdown.on_shutdown([] {}, {.timeout = 1min, .name = std::to_string(i)});
  std::string order;
  for (const auto& handler : shutdown.execute(cairn::ShutdownStrategy::graceful(1min)).handlers) order += handler.name;
  EXPECT_EQ(order, "76543210");
}

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

TEST_F(OriginDefect, n14_a_half_open_breaker_lets_one_call_through) {
  cairn::CircuitBreaker breaker({.failures = 1, .timeout = std::chrono::nanoseconds(1), .jitter = 0});
  breaker.attempt().failed();
  std::optional<cairn::CircuitBreaker::Attempt> probe;
  while (!probe) {
    auto attempt = breaker.attempt();
    if (attempt) probe.emplace(std::move(attempt));
  }
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(breaker.attempt());
  probe->succeeded();
  EXPECT_TRUE(breaker.attempt());
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
