// Loggers as programs use them: levels, handles, sinks that fail, closing, the process-wide logger.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
#include <stdexcept>
#include <thread>

namespace {

using testing::ElementsAre;

struct Fixture : testing::Test {
  std::shared_ptr<cairn::MemorySink> memory = std::make_shared<cairn::MemorySink>();
  cairn::Configuration config = [this] {
    cairn::Configuration made;
    made.minimum_level(cairn::Level::verbose).write_to(memory, "memory");
    made.on_internal_error([](std::string_view) {});
    return made;
  }();
};

using Levels = Fixture;
using Handles = Fixture;
using Failures = Fixture;
using Closing = Fixture;
using Macros = Fixture;

int calls = 0;
int counted() { return ++calls; }

TEST_F(Levels, a_switch_changes_what_passes_while_running) {
  cairn::LevelSwitch level(cairn::Level::error);
  auto log = config.minimum_level(level).create_logger();
  log.warning("no");
  level.set(cairn::Level::debug);
  log.debug("yes");
  EXPECT_FALSE(log.is_enabled(cairn::Level::verbose));
  level.set(cairn::Level::fatal);
  log.error("no");
  EXPECT_THAT(memory->messages(), ElementsAre("yes"));
}

TEST_F(Levels, an_override_holds_for_its_source_and_what_is_below_longest_prefix_first) {
  auto log = config.minimum_level(cairn::Level::warning)
                 .minimum_level_override("shop", cairn::Level::error)
                 .minimum_level_override("shop.orders", cairn::Level::debug)
                 .create_logger();
  EXPECT_TRUE(log.is_enabled(cairn::Level::warning));
  EXPECT_FALSE(log.for_source("shop").is_enabled(cairn::Level::warning));
  EXPECT_FALSE(log.for_source("shop::payments").is_enabled(cairn::Level::warning));
  EXPECT_TRUE(log.for_source("shop.orders").is_enabled(cairn::Level::debug));
  EXPECT_TRUE(log.for_source("shop.orders::items").is_enabled(cairn::Level::debug));
  EXPECT_TRUE(log.for_source("shopping").is_enabled(cairn::Level::warning));  // not below `shop`
}

TEST_F(Levels, the_stricter_of_the_loggers_and_the_sinks_level_holds) {
  auto log = config.create_logger();
  auto strict = cairn::Configuration{}
                    .write_to(std::make_shared<cairn::MemorySink>(), "s")
                    .with_min_level(cairn::Level::error)
                    .create_logger();
  strict.warning("below the sink's");
  EXPECT_EQ(strict.metrics().sink("s")->accepted, 0U);
  EXPECT_EQ(strict.metrics().logger.dispatched, 1U);
}

TEST_F(Macros, do_not_evaluate_their_arguments_when_the_level_is_off) {
  auto log = config.minimum_level(cairn::Level::error).create_logger();
  calls = 0;
  CAIRN_INFORMATION(log, "{N}", counted());
  EXPECT_EQ(calls, 0);
  CAIRN_ERROR(log, "{N}", counted());
  EXPECT_EQ(calls, 1);
}

TEST_F(Macros, name_empty_holes_after_their_arguments) {
  struct Request {
    std::string path;
  } request{"/a"};
  const auto* pointer = &request;
  const int user = 3;
  auto log = config.create_logger();
  CAIRN_INFORMATION(log, "{} {} {Third:02d}", user, pointer->path, 7);
  const auto event = memory->events().at(0);
  EXPECT_EQ(event->message_template(), "{user} {path} {Third:02d}");
  EXPECT_EQ(event->message(), "3 /a 07");
  EXPECT_EQ(event->property("path")->as_string(), "/a");
}

TEST_F(Macros, take_an_exception_before_the_template_as_the_functions_do) {
  auto log = config.create_logger();
  const std::runtime_error thrown("boo");
  const int id = 7;
  CAIRN_ERROR(log, thrown, "Order {OrderId} failed", id);
  CAIRN_FATAL(log, std::make_exception_ptr(std::logic_error("far")), "Order {} failed", id);
  log.error(thrown, "f {N}", 1);
  log.error(std::make_exception_ptr(thrown), "p {N}", 1);
  const auto events = memory->events();
  ASSERT_EQ(events.size(), 4U);
  for (const auto& event : events) EXPECT_TRUE(event->exception());
  EXPECT_EQ(events[0]->exception().type(), "std::runtime_error");
  EXPECT_EQ(events[1]->exception().to_text(), "std::logic_error: far");
  EXPECT_EQ(events[1]->message_template(), "Order {id} failed");
}

TEST_F(Handles, carry_their_own_properties_and_share_the_root) {
  auto log = config.create_logger();
  auto orders = log.for_source("shop::orders").for_context("Shard", 7);
  auto other = orders.for_context("Shard", 8);
  orders.information("a");
  other.information("b");
  log.information("c");
  const auto events = memory->events();
  EXPECT_EQ(events[0]->property("Shard")->as_int64(), 7);
  EXPECT_EQ(events[0]->source(), "shop::orders");
  EXPECT_EQ(events[1]->property("Shard")->as_int64(), 8);
  EXPECT_FALSE(events[2]->property("Shard"));
  EXPECT_EQ(log.metrics().logger.captured, 3U);
}

TEST_F(Handles, of_one_root_log_from_many_threads_and_lose_nothing) {
  auto log = config.create_logger();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      auto mine = log.for_context("Thread", t);
      for (int i = 0; i < 1000; ++i) mine.information("{I}", i);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(memory->size(), 4000U);
  const auto metrics = log.metrics();
  EXPECT_EQ(metrics.logger.captured, metrics.logger.dispatched);
  EXPECT_EQ(metrics.sink("memory")->accepted, metrics.sink("memory")->emitted);
}

TEST_F(Handles, have_enrichers_and_filters_of_their_own) {
  auto log = config.create_logger();
  auto mine =
      log.with_enricher([](cairn::EventBuilder& e) { e.add("Attempt", 3); }).add_filter([](const cairn::Event& e) {
        return e.level() != cairn::Level::warning;
      });
  mine.information("a");
  mine.warning("b");
  log.warning("c");
  EXPECT_THAT(memory->messages(), ElementsAre("a", "c"));
  EXPECT_EQ(memory->events()[0]->property("Attempt")->as_int64(), 3);
  EXPECT_EQ(log.metrics().logger.filtered, 1U);
}

TEST_F(Handles, precedence_is_template_then_context_then_logger_then_enricher) {
  auto log = config.enrich_with_property("A", "enricher")
                 .enrich_with_property("B", "enricher")
                 .enrich_with_property("C", "enricher")
                 .enrich_with_property("D", "enricher")
                 .create_logger()
                 .for_context("A", "logger")
                 .for_context("B", "logger")
                 .for_context("C", "logger");
  const auto a = cairn::LogContext::push("A", "context");
  const auto b = cairn::LogContext::push("B", "context");
  log.information("{A}", "template");
  const auto event = memory->events().at(0);
  std::vector<std::pair<std::string, std::string>> found;
  for (const auto& p : event->properties()) found.emplace_back(p.name, p.value.to_text());
  EXPECT_THAT(found, ElementsAre(testing::Pair("A", "template"), testing::Pair("B", "context"),
                                 testing::Pair("C", "logger"), testing::Pair("D", "enricher")));
}

struct Throwing final : cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event>) override { throw std::runtime_error("disk on fire"); }
};
struct ThrowingOther final : cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event>) override { throw 42; }
};
struct Short final : cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event>) override { return {}; }
};

TEST_F(Failures, a_sink_that_throws_costs_its_neighbours_nothing) {
  const auto after = std::make_shared<cairn::MemorySink>();
  auto log = config.write_to(std::make_shared<Throwing>(), "bad")
                 .write_to(std::make_shared<ThrowingOther>(), "worse")
                 .write_to(std::make_shared<Short>(), "short")
                 .write_to(after, "after")
                 .create_logger();
  log.information("x");
  EXPECT_EQ(memory->size(), 1U);
  EXPECT_EQ(after->size(), 1U);
  const auto metrics = log.metrics();
  EXPECT_EQ(metrics.sink("bad")->failed.at("sink_threw"), 1U);
  EXPECT_EQ(metrics.sink("bad")->last_error, "disk on fire");
  EXPECT_EQ(metrics.sink("worse")->failed.at("sink_threw"), 1U);
  EXPECT_EQ(metrics.sink("short")->failed.at("short_emit"), 1U);
}

TEST_F(Failures, what_a_sink_fails_on_goes_to_its_fallback_and_says_so) {
  const auto second = std::make_shared<cairn::MemorySink>();
  std::string told;
  auto log = config.write_to(std::make_shared<Throwing>(), "bad")
                 .with_fallback(
                     cairn::SinkSpec::sink(std::make_shared<Short>(), "middle")
                         .with_fallback(cairn::SinkSpec::sink(second, "last")),
                     [&](std::size_t n, std::string_view why) { told = std::to_string(n) + " " + std::string(why); })
                 .create_logger();
  log.information("x {N}", 1);
  EXPECT_EQ(told, "1 disk on fire");
  ASSERT_EQ(second->size(), 1U);
  EXPECT_EQ(second->events()[0]->property("FallbackFrom")->as_string(), "middle");
  EXPECT_FALSE(memory->events()[0]->property("FallbackFrom"));
  const auto metrics = log.metrics();
  EXPECT_EQ(metrics.sink("bad")->diverted, 1U);
  EXPECT_EQ(metrics.sink("middle")->diverted, 1U);
  EXPECT_EQ(metrics.sink("last")->emitted, 1U);
}

struct Down final : cairn::Sink {
  cairn::EmitResult emit(std::span<const cairn::Event>) override { throw std::runtime_error("down"); }
};

std::string fallback_from(const cairn::MemorySink& sink) {
  const auto found = sink.events().at(0)->property("FallbackFrom");
  return found ? found->to_text() : "none";
}

TEST(Fallback, leaves_to_other_sinks_what_the_program_calls_FallbackFrom) {
  const auto before = std::make_shared<cairn::MemorySink>();
  const auto fallback = std::make_shared<cairn::MemorySink>();
  const auto after = std::make_shared<cairn::MemorySink>();
  cairn::Configuration config;
  config.on_internal_error([](std::string_view) {}).enrich_with_property("FallbackFrom", "mine");
  config.write_to(before, "before");
  config.write_to(std::make_shared<Down>(), "first")
      .with_fallback(cairn::SinkSpec::sink(std::make_shared<Down>(), "second")
                         .with_fallback(cairn::SinkSpec::sink(fallback, "third")));
  config.write_to(after, "after");
  config.create_logger().information("one");
  EXPECT_EQ(fallback_from(*before), "mine");
  EXPECT_EQ(fallback_from(*fallback), "second");
  EXPECT_EQ(fallback_from(*after), "mine");
}

TEST(Fallback, leaves_to_other_sinks_what_the_logger_before_said_of_it) {
  const auto after = std::make_shared<cairn::MemorySink>();
  cairn::Configuration behind;
  behind.on_internal_error([](std::string_view) {});
  behind.write_to(std::make_shared<Down>(), "down").with_fallback(cairn::SinkSpec::null());
  behind.write_to(after, "after");
  const auto target = behind.create_logger();
  cairn::Configuration config;
  config.on_internal_error([](std::string_view) {});
  config.write_to(std::make_shared<Down>(), "first").with_fallback(cairn::SinkSpec::logger(target));
  config.create_logger().information("one");
  EXPECT_EQ(fallback_from(*after), "first");
}

TEST_F(Failures, an_enricher_or_filter_that_throws_does_not_cost_the_event) {
  auto log = config.enrich_with([](cairn::EventBuilder&) { throw 1; })
                 .filter_by([](const cairn::Event&) -> bool { throw 2; })
                 .create_logger();
  log.information("x");
  EXPECT_EQ(memory->size(), 1U);
  EXPECT_EQ(log.metrics().logger.enricher_errors, 1U);
  EXPECT_EQ(log.metrics().logger.filter_errors, 1U);
}

TEST_F(Failures, what_a_sink_logs_to_its_own_logger_is_refused_and_counted) {
  cairn::Logger log;
  std::atomic<int> seen{0};
  log = config
            .write_to_callback([&](const cairn::Event&) {
              ++seen;
              log.information("from inside");
            })
            .create_logger();
  log.information("x");
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(log.metrics().logger.rejected.at("reentrant"), 1U);
  EXPECT_EQ(log.flush().status, cairn::FlushStatus::ok);
}

TEST_F(Failures, flush_from_a_sink_would_deadlock_and_says_so) {
  cairn::Logger log;
  auto status = cairn::FlushStatus::ok;
  log = config.write_to_callback([&](const cairn::Event&) { status = log.flush().status; }).create_logger();
  log.information("x");
  EXPECT_EQ(status, cairn::FlushStatus::would_deadlock);
}

TEST_F(Closing, refuses_and_counts_what_comes_after) {
  auto log = config.create_logger();
  log.information("before");
  EXPECT_EQ(log.close().status, cairn::FlushStatus::ok);
  log.information("after");
  CAIRN_ERROR(log, "after too");
  EXPECT_EQ(log.close().status, cairn::FlushStatus::ok);
  EXPECT_EQ(memory->size(), 1U);
  EXPECT_EQ(log.metrics().logger.rejected.at("after_shutdown"), 2U);
}

TEST_F(Closing, while_a_call_evaluates_its_arguments_refuses_that_call) {
  auto log = config.create_logger();
  CAIRN_INFORMATION(log, "{N}", (log.close(), 1));
  EXPECT_EQ(memory->size(), 0U);
  EXPECT_EQ(log.metrics().logger.rejected.at("after_shutdown"), 1U);
  EXPECT_EQ(log.metrics().logger.captured, 0U);
}

TEST_F(Closing, happens_when_the_last_handle_goes) {
  std::weak_ptr<cairn::MemorySink> weak = memory;
  {
    auto log = config.create_logger();
    auto child = log.for_context("A", 1);
    log = cairn::Logger();
    child.information("still open");
  }
  config = cairn::Configuration();
  EXPECT_EQ(memory->size(), 1U);
  memory.reset();
  EXPECT_TRUE(weak.expired());
}

TEST_F(Closing, a_sub_logger_does_not_own_its_target) {
  auto target = config.create_logger().for_context("Target", true);
  auto log = cairn::Configuration{}.enrich_with_property("Outer", 1).write_to_logger(target).create_logger();
  log.information("through {N}", 1);
  const auto event = memory->events().at(0);
  EXPECT_EQ(event->property("Outer")->as_int64(), 1);
  EXPECT_EQ(event->property("Target")->as_bool(), true);
  target.close();
  log.information("closed target");
  EXPECT_EQ(memory->size(), 1U);
  EXPECT_EQ(log.metrics().sinks[0].failed_total(), 1U);
}

TEST_F(Closing, the_global_logger_is_silent_before_it_is_set_and_after_it_is_closed) {
  const auto before = cairn::log().metrics().logger.rejected;
  cairn::information("into the void {N}", 1);
  EXPECT_FALSE(cairn::is_enabled(cairn::Level::fatal));
  EXPECT_GT(cairn::log().metrics().logger.rejected["not_configured"], 0U);
  cairn::set_logger(config.create_logger());
  EXPECT_TRUE(cairn::is_enabled(cairn::Level::verbose));
  cairn::information("heard {N}", 1);
  cairn::write(cairn::Level::error, "heard too");
  cairn::close_and_flush();
  cairn::information("not heard");
  EXPECT_THAT(memory->messages(), ElementsAre("heard 1", "heard too"));
}

TEST_F(Closing, the_global_logger_may_be_replaced_while_others_log) {
  auto a = config.create_logger();
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  cairn::set_logger(a);
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      while (!stop) cairn::information("x {N}", 1);
    });
  }
  for (int i = 0; i < 200; ++i) {
    auto other = cairn::Configuration{}.write_to_null().create_logger();
    cairn::set_logger(other);
    cairn::set_logger(a);
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  cairn::set_logger(cairn::Logger());
  const auto metrics = a.metrics();
  EXPECT_EQ(metrics.logger.captured, metrics.sink("memory")->emitted);
}

TEST_F(Closing, level_functions_and_aliases_reach_their_levels) {
  auto log = config.create_logger();
  log.verbose("v");
  log.debug("d");
  log.information("i");
  log.info("i");
  log.warning("w");
  log.warn("w");
  log.error("e");
  log.fatal("f");
  log.write(cairn::Level::fatal, "f");
  log.write(cairn::Level::error, cairn::dynamic_template("dynamic {N}"), 1);
  std::vector<int> levels;
  for (const auto& e : memory->events()) levels.push_back(static_cast<int>(e->level()));
  EXPECT_THAT(levels, ElementsAre(0, 1, 2, 2, 3, 3, 4, 5, 5, 4));
}

}  // namespace
