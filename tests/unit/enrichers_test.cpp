#include "cairn/enrichers.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

#include "../support/kept_events.hpp"
#include "capture/property_block.hpp"

namespace {

using cairn::EventBuilder;
using cairn::testing_support::KeptEvents;
namespace enrichers = cairn::enrichers;

cairn::Configuration enriched_with(cairn::Enricher enricher) {
  cairn::Configuration configuration;
  configuration.enrich_with(std::move(enricher));
  return configuration;
}

TEST(Enrichers, add_what_a_function_says_to_every_event) {
  std::atomic<int> calls{0};
  KeptEvents kept(enriched_with([&](EventBuilder& e) { e.add("Call", ++calls); }));
  kept.log.information("a");
  kept.log.information("b");
  EXPECT_EQ(kept.all("Call"), (std::vector<std::string>{"1", "2"}));
}

TEST(Enrichers, keep_the_last_of_a_name_added_twice) {
  cairn::Configuration configuration = enriched_with([](EventBuilder& e) {
    e.add("A", std::string(100, 'x'));
    e.add("B", 1);
    e.add("A", "second");
  });
  configuration.enrich_with([](EventBuilder& e) { e.add("B", 2); });
  KeptEvents kept(configuration);
  kept.log.information("x");
  EXPECT_EQ(kept.last("A"), "second");
  EXPECT_EQ(kept.last("B"), "2");
  int properties = 0;
  for ([[maybe_unused]] const cairn::Property property : kept.last()->properties()) ++properties;
  EXPECT_EQ(properties, 2);
}

TEST(Enrichers, take_no_more_room_for_a_name_added_many_times) {
  std::size_t count = 0;
  KeptEvents kept(enriched_with([&](EventBuilder& e) {
    cairn::detail::PropertyBlock block;
    EventBuilder builder(e.event(), block);
    for (int i = 0; i < 100; ++i) builder.add("Same\xFF", i);
    count = block.count();
  }));
  kept.log.information("x");
  EXPECT_EQ(count, 1U);
}

TEST(Enrichers, see_the_event_with_what_was_added_before) {
  cairn::Configuration configuration = enriched_with([](EventBuilder& e) { e.add("First", std::string(300, 'x')); });
  configuration.enrich_with([](EventBuilder& e) {
    // What is added lies in the block that grows; what was read of it is valid until then.
    if (const auto first = e.event().property("First")) e.add("Copy", *first);
    if (const auto first = e.event().property("First")) e.add("First", *first);
  });
  KeptEvents kept(configuration);
  kept.log.information("x");
  EXPECT_EQ(kept.last("Copy"), std::string(300, 'x'));
  EXPECT_EQ(kept.last("First"), std::string(300, 'x'));
}

TEST(Enrichers, run_in_the_order_they_were_added_the_loggers_own_last) {
  std::string order;
  const auto note = [&order](char c) { return [&order, c](EventBuilder&) { order += c; }; };
  cairn::Configuration configuration = enriched_with(note('a'));
  configuration.enrich_with(note('b'));
  KeptEvents kept(configuration);
  kept.log.with_enricher(note('c')).with_enricher(note('d')).information("x");
  EXPECT_EQ(order, "abcd");
}

TEST(Enrichers, that_throw_cost_the_event_only_their_properties) {
  cairn::Configuration configuration = enriched_with([](EventBuilder&) { throw std::runtime_error("x"); });
  configuration.enrich_with_property("After", 1);
  configuration.on_internal_error([](std::string_view) {});
  KeptEvents kept(configuration);
  kept.log.information("x");
  EXPECT_EQ(kept.last("After"), "1");
}

TEST(Enrichers, may_log_and_push_while_a_value_is_captured) {
  KeptEvents inner;
  KeptEvents kept(enriched_with([&](EventBuilder& e) {
    inner.log.information("asked");
    const auto scope = cairn::LogContext::push("Inner", 1);
    e.add("A", 1);
  }));
  kept.log.information("x");
  EXPECT_EQ(kept.last("A"), "1");
  EXPECT_EQ(inner.sink->size(), 1U);
}

TEST(StockEnrichers, tell_the_thread_by_the_kernels_number) {
  KeptEvents kept(enriched_with(enrichers::thread_id()));
  kept.log.information("x");
  EXPECT_EQ(kept.last()->property("ThreadId")->as_int64(), syscall(SYS_gettid));
  std::thread([&] {
    kept.log.information("x");
    EXPECT_EQ(kept.last()->property("ThreadId")->as_int64(), syscall(SYS_gettid));
  }).join();
}

TEST(StockEnrichers, tell_the_threads_name_as_it_is_now) {
  KeptEvents kept(enriched_with(enrichers::thread_name()));
  std::thread([&] {
    for (const char* name : {"worker", "a-name-of-15-ch"}) {
      pthread_setname_np(pthread_self(), name);
      kept.log.information("x");
      EXPECT_EQ(kept.last("ThreadName"), name);
    }
  }).join();
}

TEST(StockEnrichers, tell_the_process_and_the_thread_a_fork_made) {
  cairn::Configuration configuration = enriched_with(enrichers::process_id());
  configuration.enrich_with(enrichers::thread_id());
  KeptEvents kept(configuration);
  kept.log.information("x");
  EXPECT_EQ(kept.last()->property("ProcessId")->as_int64(), getpid());
  const pid_t child = fork();
  if (child == 0) {
    kept.log.information("x");
    const bool right = kept.last()->property("ProcessId")->as_int64() == getpid() &&
                       kept.last()->property("ThreadId")->as_int64() == syscall(SYS_gettid);
    _exit(right ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(StockEnrichers, tell_the_process_and_the_machine_by_name) {
  cairn::Configuration configuration = enriched_with(enrichers::process_name());
  configuration.enrich_with(enrichers::machine_name());
  KeptEvents kept(configuration);
  kept.log.information("x");
  EXPECT_EQ(kept.last("ProcessName"), program_invocation_short_name);
  char name[257] = {};
  ASSERT_EQ(gethostname(name, sizeof(name) - 1), 0);
  EXPECT_EQ(kept.last("MachineName"), name);
}

TEST(StockEnrichers, tell_where_the_call_stands_in_every_form) {
  KeptEvents kept(enriched_with(enrichers::source_location()));
  const int line = __LINE__ + 1;
  kept.log.information("function");
  CAIRN_INFORMATION(kept.log, "macro");
  for (std::size_t i = 0; i < 2; ++i) {
    const cairn::OwnedEvent event = kept.sink->events()[i];
    EXPECT_EQ(event->property("SourceFile")->as_string(), __FILE__);
    EXPECT_EQ(event->property("SourceLine")->as_int64(), line + static_cast<int>(i));
    EXPECT_NE(event->property("SourceFunction")->as_string()->find("TestBody"), std::string::npos);
  }
}

TEST(StockEnrichers, tell_an_environment_variable_as_it_was_when_they_were_made) {
  setenv("CAIRN_TEST_REGION", "north", 1);
  unsetenv("CAIRN_TEST_ABSENT");
  cairn::Configuration configuration = enriched_with(enrichers::environment_variable("CAIRN_TEST_REGION"));
  configuration.enrich_with(enrichers::environment_variable("CAIRN_TEST_REGION", "Region"));
  configuration.enrich_with(enrichers::environment_variable("CAIRN_TEST_ABSENT"));
  setenv("CAIRN_TEST_REGION", "south", 1);
  setenv("CAIRN_TEST_ABSENT", "late", 1);
  KeptEvents kept(configuration);
  kept.log.information("x");
  EXPECT_EQ(kept.last("CAIRN_TEST_REGION"), "north");
  EXPECT_EQ(kept.last("Region"), "north");
  EXPECT_EQ(kept.last("CAIRN_TEST_ABSENT"), "-");
  unsetenv("CAIRN_TEST_REGION");
  unsetenv("CAIRN_TEST_ABSENT");
}

TEST(StockEnrichers, say_the_same_on_every_event_where_they_are_a_property) {
  KeptEvents kept(enriched_with(enrichers::property("Version", "1.2.3")));
  kept.log.information("x");
  kept.log.information("y");
  EXPECT_EQ(kept.all("Version"), (std::vector<std::string>{"1.2.3", "1.2.3"}));
}

}  // namespace
