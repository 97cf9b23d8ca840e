#include "cairn/filters.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "../support/kept_events.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::Event;
using cairn::Filter;
using cairn::Level;
using cairn::Logger;
using cairn::testing_support::KeptEvents;
using cairn::testing_support::SetClock;
namespace filters = cairn::filters;
using filters::SampleBy;

cairn::Configuration filtered_by(Filter filter) {
  cairn::Configuration configuration;
  configuration.filter_by(std::move(filter));
  return configuration;
}

/// Does the filter pass what `log_one` logs?
template <class F>
bool passes(const Filter& filter, F log_one) {
  KeptEvents kept(filtered_by(filter));
  log_one(kept.log);
  return kept.sink->size() == 1;
}

bool passes_from(const std::string& prefix, const std::string& source) {
  return passes(filters::source(prefix), [&](const Logger& log) { log.for_source(source).information("x"); });
}

TEST(Filters, pass_by_level) {
  for (int least = 0; least < 6; ++least) {
    KeptEvents kept(filtered_by(filters::level(static_cast<Level>(least))));
    kept.log.verbose("x");
    kept.log.debug("x");
    kept.log.information("x");
    kept.log.warning("x");
    kept.log.error("x");
    kept.log.fatal("x");
    EXPECT_EQ(kept.sink->size(), static_cast<std::size_t>(6 - least));
  }
}

TEST(Filters, pass_by_source_at_a_dot_or_colons_only) {
  EXPECT_TRUE(passes_from("shop", "shop"));
  EXPECT_TRUE(passes_from("shop", "shop.orders"));
  EXPECT_TRUE(passes_from("shop", "shop::orders"));
  EXPECT_TRUE(passes_from("shop::orders", "shop::orders::late"));
  EXPECT_FALSE(passes_from("shop", "shopping"));
  EXPECT_FALSE(passes_from("shop", "shop:orders"));
  EXPECT_FALSE(passes_from("shop", "shop-orders"));
  EXPECT_FALSE(passes_from("shop", "sho"));
  EXPECT_FALSE(passes_from("shop", "my.shop"));
  EXPECT_FALSE(passes_from("Shop", "shop"));
  EXPECT_FALSE(passes(filters::source("shop"), [](const Logger& log) { log.information("x"); }));
}

TEST(Filters, pass_by_presence_of_a_property_wherever_it_comes_from) {
  const Filter filter = filters::has_property("User");
  EXPECT_TRUE(passes(filter, [](const Logger& log) { log.information("{User}", 1); }));
  EXPECT_TRUE(passes(filter, [](const Logger& log) { log.for_context("User", 1).information("x"); }));
  EXPECT_TRUE(passes(filter, [](const Logger& log) {
    const auto scope = cairn::LogContext::push("User", 1);
    log.information("x");
  }));
  EXPECT_TRUE(passes(filter, [](const Logger& log) {
    log.with_enricher([](cairn::EventBuilder& e) { e.add("User", 1); }).information("x");
  }));
  EXPECT_FALSE(passes(filter, [](const Logger& log) { log.information("{Users}", 1); }));
}

TEST(Filters, compare_values_by_kind_and_value) {
  const auto with = [](const auto& value) { return [&](const Logger& log) { log.information("{V}", value); }; };
  EXPECT_TRUE(passes(filters::property("V", 1), with(1)));
  EXPECT_TRUE(passes(filters::property("V", 1), with(std::uint8_t{1})));
  EXPECT_TRUE(passes(filters::property("V", "a"), with(std::string("a"))));
  EXPECT_TRUE(passes(filters::property("V", std::vector<int>{1, 2}), with(std::vector<int>{1, 2})));
  EXPECT_FALSE(passes(filters::property("V", 2), with(1)));
  EXPECT_FALSE(passes(filters::property("V", "1"), with(1)));
  EXPECT_FALSE(passes(filters::property("W", 1), with(1)));
}

// In the original they were the same.
TEST(Filters, tell_a_bool_from_a_number) {
  const auto with = [](const auto& value) { return [&](const Logger& log) { log.information("{V}", value); }; };
  EXPECT_TRUE(passes(filters::property("V", true), with(true)));
  EXPECT_FALSE(passes(filters::property("V", true), with(1)));
  EXPECT_FALSE(passes(filters::property("V", 0), with(false)));
  EXPECT_FALSE(passes(filters::property("V", true), with(false)));
}

TEST(Filters, pass_by_a_predicate_on_a_value_or_the_event) {
  const Filter slow =
      filters::property_matches("Ms", [](const cairn::Value& v) { return v.as_double().value_or(0) > 100; });
  EXPECT_TRUE(passes(slow, [](const Logger& log) { log.information("{Ms}", 101); }));
  EXPECT_FALSE(passes(slow, [](const Logger& log) { log.information("{Ms}", 100); }));
  EXPECT_FALSE(passes(slow, [](const Logger& log) { log.information("x"); }));
  const Filter failed = filters::matching([](const Event& e) { return static_cast<bool>(e.exception()); });
  EXPECT_TRUE(passes(failed, [](const Logger& log) { log.error(std::runtime_error("x"), "x"); }));
  EXPECT_FALSE(passes(failed, [](const Logger& log) { log.error("x"); }));
}

TEST(Filters, pass_by_template_by_its_text_or_its_id) {
  const auto greet = [](const Logger& log) { log.information("Hello, {User}", "Ada"); };
  EXPECT_TRUE(passes(filters::message_template("Hello, {User}"), greet));
  EXPECT_FALSE(passes(filters::message_template("Hello, Ada"), greet));
  EXPECT_TRUE(passes(filters::event_id(cairn::event_id("Hello, {User}")), greet));
  EXPECT_TRUE(passes(filters::event_id(0x0482b02f), greet));
  EXPECT_FALSE(passes(filters::event_id(1), greet));
}

TEST(Filters, combine_as_logic_does) {
  const auto log_one = [](const Logger& log) { log.information("x"); };
  const bool truths[] = {false, true};
  const auto constant = [](bool truth) { return truth ? filters::always() : filters::never(); };
  for (const bool a : truths) {
    EXPECT_EQ(passes(constant(a), log_one), a);
    EXPECT_EQ(passes(!constant(a), log_one), !a);
    EXPECT_EQ(passes(filters::not_(constant(a)), log_one), !a);
    for (const bool b : truths) {
      EXPECT_EQ(passes(constant(a) && constant(b), log_one), a && b);
      EXPECT_EQ(passes(constant(a) || constant(b), log_one), a || b);
      EXPECT_EQ(passes(filters::all({constant(a), constant(b)}), log_one), a && b);
      EXPECT_EQ(passes(filters::any({constant(a), constant(b)}), log_one), a || b);
      EXPECT_EQ(passes(filters::none({constant(a), constant(b)}), log_one), !a && !b);
    }
  }
  EXPECT_TRUE(passes(filters::all({}), log_one));
  EXPECT_FALSE(passes(filters::any({}), log_one));
  EXPECT_TRUE(passes(filters::none({}), log_one));
}

// In the original they ran in reverse.
TEST(Filters, run_in_the_order_they_were_added_and_no_further_than_needed) {
  std::string order;
  const auto note = [&order](char c, bool verdict) {
    return [&order, c, verdict](const Event&) {
      order += c;
      return verdict;
    };
  };
  cairn::Configuration configuration;
  configuration.filter_by(note('a', true));
  configuration.filter_by(note('b', true));
  configuration.filter_by(note('c', false));
  configuration.filter_by(note('d', true));
  KeptEvents kept(configuration);
  kept.log.information("x");
  EXPECT_EQ(order, "abc");
}

// ---- sampling

std::vector<std::string> numbers(const KeptEvents& kept) { return kept.all("N"); }

TEST(Sampling, passes_every_nth_event_beginning_with_the_first) {
  KeptEvents kept(filtered_by(filters::sample_every(3)));
  for (int i = 0; i < 8; ++i) kept.log.information("{N}", i);
  EXPECT_EQ(numbers(kept), (std::vector<std::string>{"0", "3", "6"}));
  EXPECT_EQ(kept.all("SuppressedCount"), (std::vector<std::string>{"-", "2", "2"}));
}

TEST(Sampling, passes_the_first_n) {
  KeptEvents kept(filtered_by(filters::sample_first(2)));
  for (int i = 0; i < 5; ++i) kept.log.information("{N}", i);
  EXPECT_EQ(numbers(kept), (std::vector<std::string>{"0", "1"}));
}

TEST(Sampling, passes_n_a_second_of_the_clock_it_was_given) {
  SetClock clock;
  clock.since_start = 100s;
  KeptEvents kept(filtered_by(filters::sample_per_second(2, SampleBy::all, clock)));
  const auto log = [&](int n) { kept.log.information("{N}", n); };
  for (int i = 0; i < 5; ++i) log(i);
  clock.since_start = 101s - 1ns;
  log(5);
  clock.since_start = 101s;
  log(6);
  log(7);
  log(8);
  clock.since_start = 1000s;
  log(9);
  EXPECT_EQ(numbers(kept), (std::vector<std::string>{"0", "1", "6", "7", "9"}));
  EXPECT_EQ(kept.all("SuppressedCount"), (std::vector<std::string>{"-", "-", "4", "-", "1"}));
}

TEST(Sampling, counts_in_the_newer_second_what_another_thread_timed_in_the_older) {
  SetClock clock;
  clock.since_start = 10s;
  KeptEvents kept(filtered_by(filters::sample_per_second(1, SampleBy::all, clock)));
  kept.log.information("{N}", 0);
  clock.since_start = 10s - 1ns;
  kept.log.information("{N}", 1);
  clock.since_start = 10s;
  kept.log.information("{N}", 2);
  EXPECT_EQ(numbers(kept), (std::vector<std::string>{"0"}));
}

TEST(Sampling, begins_at_any_time_even_second_0) {
  for (const auto start : {0s, -5s, 1s, 1'000'000'000s}) {
    SetClock clock;
    clock.since_start = start;
    KeptEvents kept(filtered_by(filters::sample_per_second(1, SampleBy::all, clock)));
    kept.log.information("x");
    kept.log.information("x");
    clock.since_start += 1s;
    kept.log.information("x");
    EXPECT_EQ(kept.sink->size(), 2U) << start.count();
  }
}

TEST(Sampling, counts_each_template_on_its_own) {
  KeptEvents kept(filtered_by(filters::sample_every(2, SampleBy::event_template)));
  for (int i = 0; i < 4; ++i) {
    kept.log.information("A {N}", i);
    kept.log.information("B {N}", i + 10);
  }
  EXPECT_EQ(numbers(kept), (std::vector<std::string>{"0", "10", "2", "12"}));
  EXPECT_EQ(kept.all("SuppressedCount"), (std::vector<std::string>{"-", "-", "1", "1"}));
}

TEST(Sampling, counts_a_thousand_templates_alone_and_the_others_together) {
  KeptEvents kept(filtered_by(filters::sample_first(1, SampleBy::event_template)));
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 1500; ++i) {
      kept.log.write(Level::information, cairn::dynamic_template("Template " + std::to_string(i)));
    }
  }
  EXPECT_EQ(kept.sink->size(), 1001U);
}

TEST(Sampling, tells_what_it_held_back_once_whatever_the_threads) {
  for (const SampleBy by : {SampleBy::all, SampleBy::event_template}) {
    KeptEvents kept(filtered_by(filters::sample_every(7, by)));
    constexpr int threads = 4;
    constexpr int each = 7 * 500;
    std::vector<std::thread> running;
    for (int t = 0; t < threads; ++t) {
      running.emplace_back([&] {
        for (int i = 0; i < each; ++i) kept.log.information("x");
      });
    }
    for (std::thread& thread : running) thread.join();
    EXPECT_EQ(kept.sink->size(), static_cast<std::size_t>(threads * each / 7));
    std::uint64_t told = 0;
    for (const cairn::OwnedEvent& event : kept.sink->events()) {
      if (const auto count = event->property("SuppressedCount")) told += *count->as_uint64();
    }
    // The last to pass may have been counted before some of those it follows; one more for each tells the rest.
    std::uint64_t passed = kept.sink->size();
    for (int i = 0; i < 7; ++i) kept.log.information("x");
    const auto events = kept.sink->events();
    ASSERT_EQ(events.size(), passed + 1);
    if (const auto count = events.back()->property("SuppressedCount")) told += *count->as_uint64();
    EXPECT_EQ(told, static_cast<std::uint64_t>(threads * each) - passed);
  }
}

TEST(Sampling, gives_each_template_its_first_event_once_and_keeps_its_limit_whatever_the_threads) {
  for (const int templates : {800, 1500}) {
    KeptEvents kept(filtered_by(filters::sample_first(1, SampleBy::event_template)));
    std::vector<std::thread> running;
    for (int t = 0; t < 4; ++t) {
      running.emplace_back([&] {
        for (int i = 0; i < templates; ++i) {
          kept.log.write(Level::information, cairn::dynamic_template("Template " + std::to_string(i)));
        }
      });
    }
    for (std::thread& thread : running) thread.join();
    EXPECT_EQ(kept.sink->size(), templates == 800 ? 800U : 1001U);
  }
}

TEST(Sampling, tells_templates_apart_whose_ids_are_the_same) {
  std::unordered_map<std::uint32_t, std::string> by_id;
  std::string text;
  std::string same;
  for (int i = 0; same.empty(); ++i) {
    text = "Template " + std::to_string(i);
    const auto [known, fresh] = by_id.emplace(cairn::event_id(text), text);
    if (!fresh) same = known->second;
  }
  KeptEvents kept(filtered_by(filters::sample_first(1, SampleBy::event_template)));
  for (const std::string& one : {text, same, text, same}) {
    kept.log.write(Level::information, cairn::dynamic_template(one));
  }
  EXPECT_EQ(kept.sink->messages(), (std::vector<std::string>{text, same}));
}

// ---- sampling among other filters

TEST(Sampling, keeps_its_count_while_a_later_filter_holds_events_back) {
  KeptEvents kept(filtered_by(filters::sample_every(2) && filters::level(Level::warning)));
  kept.log.information("0 sampled, held back by its level");
  kept.log.information("1 held back by sampling");
  kept.log.information("2 sampled, held back by its level");
  kept.log.warning("3 held back by sampling");
  kept.log.warning("4 passes");
  EXPECT_EQ(kept.all("SuppressedCount"), (std::vector<std::string>{"2"}));
}

TEST(Sampling, keeps_its_count_while_a_later_filter_of_the_configuration_or_the_logger_holds_events_back) {
  cairn::Configuration configuration = filtered_by(filters::sample_every(2));
  configuration.filter_by(filters::level(Level::warning));
  KeptEvents kept(configuration);
  const Logger picky = kept.log.add_filter(filters::level(Level::error));
  kept.log.information("0");
  kept.log.information("1 suppressed");
  picky.warning("2");
  kept.log.warning("3 suppressed");
  picky.error("4 passes");
  EXPECT_EQ(kept.all("SuppressedCount"), (std::vector<std::string>{"2"}));
}

TEST(Sampling, does_not_count_what_another_filter_lets_pass_after_all) {
  KeptEvents kept(filtered_by(filters::sample_every(3) || filters::level(Level::error)));
  kept.log.information("0 passes");
  kept.log.error("1 passes by its level");
  kept.log.information("2 suppressed");
  kept.log.information("3 passes");
  EXPECT_EQ(kept.all("SuppressedCount"), (std::vector<std::string>{"-", "-", "1"}));
}

TEST(Sampling, adds_up_what_several_filters_held_back) {
  KeptEvents kept(filtered_by(filters::sample_every(2) && filters::sample_every(2)));
  for (int i = 0; i < 5; ++i) kept.log.information("{N}", i);
  EXPECT_EQ(numbers(kept), (std::vector<std::string>{"0", "4"}));
  EXPECT_EQ(kept.all("SuppressedCount"), (std::vector<std::string>{"-", "3"}));
}

TEST(Sampling, loses_no_count_in_a_chain_of_many) {
  std::vector<Filter> many;
  for (int i = 0; i < 12; ++i) many.push_back(filters::sample_every(2));
  KeptEvents kept(filtered_by(filters::all(many)));
  constexpr int total = 4096 * 12;
  for (int i = 0; i < total; ++i) kept.log.information("x");
  std::uint64_t told = 0;
  for (const auto& text : kept.all("SuppressedCount")) told += text == "-" ? 0 : std::stoull(text);
  EXPECT_LE(told, static_cast<std::uint64_t>(total) - kept.sink->size());
  EXPECT_GT(told, static_cast<std::uint64_t>(total) / 2);
}

TEST(Sampling, tells_its_count_on_an_event_that_another_filter_let_pass) {
  KeptEvents kept(filtered_by(filters::sample_every(10) || filters::level(Level::error)));
  kept.log.information("0 passes");
  kept.log.information("1 suppressed");
  kept.log.error("2 passes by its level");
  kept.log.error("3 passes by its level");
  EXPECT_EQ(kept.all("SuppressedCount"), (std::vector<std::string>{"-", "1", "-"}));
}

TEST(Sampling, keeps_apart_what_a_filter_logs_to_another_logger) {
  KeptEvents inner(filtered_by(filters::sample_every(2)));
  cairn::Configuration configuration = filtered_by(filters::sample_every(2));
  configuration.filter_by([&](const Event&) {
    inner.log.information("asked");
    return true;
  });
  configuration.filter_by(filters::sample_every(2));
  KeptEvents outer(configuration);
  for (int i = 0; i < 9; ++i) outer.log.information("x");
  // of 9, the first sampling passes 5: `inner` is asked about those, and the second passes 3 of them
  EXPECT_EQ(inner.all("SuppressedCount"), (std::vector<std::string>{"-", "1", "1"}));
  EXPECT_EQ(outer.all("SuppressedCount"), (std::vector<std::string>{"-", "3", "3"}));
}

TEST(Sampling, of_one_sink_tells_that_sink_alone) {
  auto sampled = std::make_shared<cairn::MemorySink>();
  auto every = std::make_shared<cairn::MemorySink>();
  cairn::Configuration configuration;
  configuration.write_to(sampled, "sampled").with_filter(filters::sample_every(2));
  configuration.write_to(every, "every");
  const Logger log = configuration.create_logger();
  for (int i = 0; i < 3; ++i) log.information("x");
  ASSERT_EQ(sampled->size(), 2U);
  EXPECT_EQ(KeptEvents::text(sampled->events()[0], "SuppressedCount"), "-");
  EXPECT_EQ(KeptEvents::text(sampled->events()[1], "SuppressedCount"), "1");
  ASSERT_EQ(every->size(), 3U);
  for (const auto& event : every->events()) EXPECT_EQ(KeptEvents::text(event, "SuppressedCount"), "-");
}

TEST(Sampling, of_one_sink_adds_to_what_the_loggers_filters_held_back) {
  auto sampled = std::make_shared<cairn::MemorySink>();
  auto every = std::make_shared<cairn::MemorySink>();
  cairn::Configuration configuration = filtered_by(filters::sample_every(2));
  configuration.write_to(sampled, "sampled").with_filter(filters::sample_every(2));
  configuration.write_to(every, "every");
  const Logger log = configuration.create_logger();
  for (int i = 0; i < 5; ++i) log.information("x");
  ASSERT_EQ(sampled->size(), 2U);
  // The second and fourth by all's, the third, which told of the second, by its own.
  EXPECT_EQ(KeptEvents::text(sampled->events()[1], "SuppressedCount"), "3");
  EXPECT_EQ(KeptEvents::text(every->events().back(), "SuppressedCount"), "1");
}

TEST(Sampling, counts_what_a_program_asks_of_a_filter_itself) {
  const Filter filter = filters::sample_every(2);
  KeptEvents kept(filtered_by(filter));
  cairn::Configuration other;
  other.write_to_callback([&](const Event& event) {
    (void)filter(event);
    (void)filter(event);
  });
  other.create_logger().information("asks twice: one passes, one does not");
  kept.log.information("x");
  EXPECT_EQ(kept.all("SuppressedCount"), (std::vector<std::string>{"1"}));
}

}  // namespace
