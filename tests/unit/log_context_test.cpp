#include "cairn/log_context.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "../support/kept_events.hpp"

namespace {
struct Angry {};
struct Nosy {};
}  // namespace

template <>
struct cairn::Capture<Angry> {
  static void capture(const Angry&, ValueWriter&) { throw std::runtime_error("no photographs"); }
};
template <>
struct cairn::Capture<Nosy> {
  static void capture(const Nosy&, ValueWriter& out) {
    const auto scope = LogContext::push("Inner", std::string(300, 'y'));
    out.value("seen");
  }
};

namespace {

using namespace std::chrono_literals;
using cairn::ContextScope;
using cairn::ContextSnapshot;
using cairn::LogContext;
using cairn::testing_support::KeptEvents;
using cairn::testing_support::SetClock;

/// The text of what is in force under that name; `-` where nothing is.
std::string in_force(std::string_view name) {
  const auto value = LogContext::current(name);
  return value ? value->view().to_text() : "-";
}

/// A scope that can be ended at will.
template <class... A>
auto held(A&&... arguments) {
  return std::unique_ptr<ContextScope>(new ContextScope(LogContext::push(std::forward<A>(arguments)...)));
}

class LogContextTest : public testing::Test {
 protected:
  void SetUp() override { LogContext::clear(); }
  void TearDown() override { LogContext::clear(); }
};

TEST_F(LogContextTest, gives_a_property_to_every_event_until_its_scope_ends) {
  KeptEvents kept;
  {
    const auto scope = LogContext::push("RequestId", 7);
    kept.log.information("one");
    EXPECT_EQ(kept.last("RequestId"), "7");
    EXPECT_EQ(kept.last()->property("RequestId")->as_int64(), 7);
  }
  kept.log.information("two");
  EXPECT_EQ(kept.last("RequestId"), "-");
  EXPECT_EQ(LogContext::size(), 0U);
  EXPECT_EQ(LogContext::size_bytes(), 0U);
}

TEST_F(LogContextTest, carries_structures_as_structures) {
  struct Order {
    int id;
    std::string customer;
  };
  KeptEvents kept;
  const auto scope = LogContext::push("Order", Order{3, "Ada"});
  kept.log.information("placed");
  const cairn::OwnedEvent event = kept.last();
  ASSERT_TRUE(event->property("Order").has_value());
  EXPECT_EQ(event->property("Order")->find("customer")->as_string(), "Ada");
}

TEST_F(LogContextTest, borrows_nothing) {
  auto text = std::make_unique<std::string>(200, 'x');
  auto name = std::make_unique<std::string>("ANameThatIsNotShort");
  const auto scope = LogContext::push(*name, std::string_view(*text));
  text.reset();
  name.reset();
  EXPECT_EQ(in_force("ANameThatIsNotShort"), std::string(200, 'x'));
}

TEST_F(LogContextTest, lets_the_latest_of_equal_names_win_until_it_is_popped) {
  const auto outer = LogContext::push("Step", "outer");
  {
    const auto inner = LogContext::push("Step", "inner");
    EXPECT_EQ(in_force("Step"), "inner");
    EXPECT_EQ(LogContext::size(), 1U) << "a name counts once";
    KeptEvents kept;
    kept.log.information("x");
    EXPECT_EQ(kept.last("Step"), "inner");
    int times = 0;
    for (const cairn::Property property : kept.last()->properties()) times += property.name == "Step" ? 1 : 0;
    EXPECT_EQ(times, 1);
  }
  EXPECT_EQ(in_force("Step"), "outer");
}

TEST_F(LogContextTest, yields_to_the_template_and_goes_before_the_logger_and_the_enrichers) {
  cairn::Configuration configuration;
  configuration.enrich_with_property("A", "enricher");
  configuration.enrich_with_property("D", "enricher");
  KeptEvents kept(configuration);
  const auto scope = LogContext::push_properties({{"A", "context"}, {"B", "context"}, {"C", "context"}});
  kept.log.for_context("B", "logger").for_context("D", "logger").information("{C}", "template");
  EXPECT_EQ(kept.last("A"), "context");
  EXPECT_EQ(kept.last("B"), "context");
  EXPECT_EQ(kept.last("C"), "template");
  EXPECT_EQ(kept.last("D"), "logger");
}

TEST_F(LogContextTest, ends_scopes_in_any_order_each_removing_its_own) {
  auto a = held("X", 1);
  auto b = held("X", 2);
  auto c = held("X", 3);
  b.reset();
  EXPECT_EQ(in_force("X"), "3");
  c.reset();
  EXPECT_EQ(in_force("X"), "1");
  b = held("X", 4);
  a.reset();
  EXPECT_EQ(in_force("X"), "4");
  b.reset();
  EXPECT_EQ(in_force("X"), "-");
}

// Against a plain list of what is pushed: thousands of pushes and ends in random order.
TEST_F(LogContextTest, agrees_with_a_plain_list_whatever_the_order_of_pushes_and_ends) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  struct Pushed {
    std::string name;
    int value;
    std::unique_ptr<ContextScope> scope;
  };
  std::vector<Pushed> model;
  for (int step = 0; step < 20000; ++step) {
    if (model.size() < 40 && random() % 2 == 0) {
      const std::string name(1 + random() % 3, static_cast<char>('a' + random() % 3));
      model.push_back({name, step, held(name, step)});
    } else if (!model.empty()) {
      model.erase(model.begin() + static_cast<std::ptrdiff_t>(random() % model.size()));
    }
    std::map<std::string, int> expected;
    for (const Pushed& pushed : model) expected[pushed.name] = pushed.value;
    ASSERT_EQ(LogContext::size(), expected.size());
    for (const auto& [name, value] : expected) ASSERT_EQ(in_force(name), std::to_string(value));
  }
  model.clear();
  EXPECT_EQ(LogContext::size_bytes(), 0U);
}

TEST_F(LogContextTest, removes_what_it_pushed_when_an_exception_passes) {
  try {
    const auto scope = LogContext::push("Risky", true);
    throw std::runtime_error("x");
  } catch (const std::runtime_error&) {
    EXPECT_EQ(in_force("Risky"), "-");
  }
  EXPECT_THROW(LogContext::with("A", 1, []() -> int { throw std::runtime_error("x"); }), std::runtime_error);
  EXPECT_EQ(in_force("A"), "-");
}

TEST_F(LogContextTest, runs_a_function_with_a_property_and_gives_what_it_gives) {
  EXPECT_EQ(LogContext::with("A", 5, [] { return in_force("A"); }), "5");
  EXPECT_EQ(in_force("A"), "-");
}

TEST_F(LogContextTest, takes_values_whose_capture_throws_or_pushes_something_itself) {
  {
    const auto scope = LogContext::push("Angry", Angry{});
    EXPECT_NE(in_force("Angry").find("no photographs"), std::string::npos) << in_force("Angry");
  }
  const auto scope = LogContext::push("Nosy", Nosy{});
  EXPECT_EQ(in_force("Nosy"), "seen");
  EXPECT_EQ(in_force("Inner"), "-");
}

TEST_F(LogContextTest, keeps_a_secret) {
  const auto scope = LogContext::push("Token", cairn::secret(std::string("hunter2")));
  EXPECT_EQ(in_force("Token"), "***");
}

TEST_F(LogContextTest, takes_a_value_of_its_own_again) {
  const auto first = LogContext::push("A", std::string(700, 'x'));
  cairn::Configuration configuration;
  std::string seen;
  configuration.write_to_callback([&](const cairn::Event& event) {
    const auto again = LogContext::push("B", *event.property("A"));  // lies in the block that grows
    seen = in_force("B");
  });
  configuration.create_logger().information("x");
  EXPECT_EQ(seen, std::string(700, 'x'));
}

// ---- timeouts

TEST_F(LogContextTest, lets_a_property_expire_by_the_events_own_time) {
  SetClock clock;
  cairn::Configuration configuration;
  configuration.use_clock(clock);
  KeptEvents kept(configuration);
  const auto before = cairn::system_clock().now();
  const auto scope = LogContext::push("Lease", 1, 1h);
  const auto after = cairn::system_clock().now();
  clock.time = before + 1h - 1ns;
  kept.log.information("still");
  EXPECT_EQ(kept.last("Lease"), "1");
  clock.time = after + 1h;
  kept.log.information("no more");
  EXPECT_EQ(kept.last("Lease"), "-");
}

TEST_F(LogContextTest, brings_an_earlier_value_back_when_a_later_one_expires) {
  SetClock clock;
  cairn::Configuration configuration;
  configuration.use_clock(clock);
  KeptEvents kept(configuration);
  const auto lasting = LogContext::push("Mode", "normal");
  const auto passing = LogContext::push("Mode", "burst", 1h);
  clock.time = cairn::system_clock().now();
  kept.log.information("x");
  EXPECT_EQ(kept.last("Mode"), "burst");
  clock.time += 2h;
  kept.log.information("x");
  EXPECT_EQ(kept.last("Mode"), "normal");
}

TEST_F(LogContextTest, takes_timeouts_beyond_all_time_as_no_timeout_and_passed_ones_as_none_at_all) {
  const auto forever = LogContext::push("A", 1, std::chrono::nanoseconds::max() - 1ns);
  const auto zero = LogContext::push("B", 1, 0ns);
  const auto negative = LogContext::push("C", 1, std::chrono::nanoseconds::min());
  EXPECT_EQ(in_force("A"), "1");
  EXPECT_EQ(in_force("B"), "-");
  EXPECT_EQ(in_force("C"), "-");
}

TEST_F(LogContextTest, makes_room_by_dropping_what_has_expired) {
  std::vector<std::unique_ptr<ContextScope>> scopes;
  for (int i = 0; i < 64; ++i) scopes.push_back(held("P" + std::to_string(i), i, 1ns));
  while (LogContext::size() != 0) std::this_thread::yield();  // a nanosecond of the wall clock
  const auto cut = LogContext::cut_count();
  const auto scope = LogContext::push("Fresh", 1);
  EXPECT_EQ(in_force("Fresh"), "1");
  EXPECT_EQ(LogContext::cut_count(), cut);
}

// ---- limits

TEST_F(LogContextTest, holds_64_properties_and_counts_what_is_over) {
  std::vector<std::unique_ptr<ContextScope>> scopes;
  for (int i = 0; i < 64; ++i) scopes.push_back(held("P" + std::to_string(i), i));
  EXPECT_EQ(LogContext::size(), 64U);
  const auto cut = LogContext::cut_count();
  {
    const auto over = LogContext::push("Over", 1);
    EXPECT_EQ(in_force("Over"), "-");
    EXPECT_EQ(LogContext::cut_count(), cut + 1);
  }
  EXPECT_EQ(LogContext::size(), 64U) << "the scope of what was not pushed removes nothing";
  scopes.pop_back();
  const auto fits = LogContext::push("Over", 1);
  EXPECT_EQ(in_force("Over"), "1");
}

TEST_F(LogContextTest, holds_4_KiB_to_the_byte) {
  // what a one-letter name with a string of no bytes takes
  const std::size_t fixed = LogContext::with("A", "", [] { return LogContext::size_bytes(); });
  const auto cut = LogContext::cut_count();
  {
    const auto scope = LogContext::push("A", std::string(4096 - fixed, 'x'));
    EXPECT_EQ(LogContext::size_bytes(), 4096U);
    EXPECT_EQ(LogContext::cut_count(), cut);
    const auto over = LogContext::push("B", "");
    EXPECT_EQ(in_force("B"), "-");
  }
  const auto scope = LogContext::push("A", std::string(4097 - fixed, 'x'));
  EXPECT_EQ(LogContext::size_bytes(), 0U);
  EXPECT_EQ(LogContext::cut_count(), cut + 2);
}

TEST_F(LogContextTest, pushes_no_value_in_part) {
  for (const std::size_t size : {5000U, 16U * 1024, 20'000U, 300'000U, 5'000'000U}) {
    const auto cut = LogContext::cut_count();
    const auto text = LogContext::push("Text", std::string(size, 'x'));
    const auto numbers = LogContext::push("Numbers", std::vector<int>(size, 1));
    const auto name = LogContext::push(std::string(size, 'n'), 1);
    EXPECT_EQ(LogContext::size_bytes(), 0U) << size;
    EXPECT_EQ(LogContext::cut_count(), cut + 3) << size;
  }
}

TEST_F(LogContextTest, counts_a_name_as_long_as_it_is_once_mended) {
  // each stray byte becomes a replacement character of three
  const auto cut = LogContext::cut_count();
  const auto scope = LogContext::push(std::string(2000, '\xFF'), 1);
  EXPECT_EQ(LogContext::size_bytes(), 0U);
  EXPECT_EQ(LogContext::cut_count(), cut + 1);
}

TEST_F(LogContextTest, cuts_only_those_of_a_group_that_do_not_fit) {
  const auto cut = LogContext::cut_count();
  {
    const auto scope = LogContext::push_properties({{"A", 1}, {"B", std::string(5000, 'x')}, {"C", 3}});
    EXPECT_EQ(in_force("A"), "1");
    EXPECT_EQ(in_force("B"), "-");
    EXPECT_EQ(in_force("C"), "3");
    EXPECT_EQ(LogContext::cut_count(), cut + 1);
  }
  EXPECT_EQ(LogContext::size(), 0U);
}

// ---- snapshots

TEST_F(LogContextTest, carries_a_snapshot_to_another_thread) {
  KeptEvents kept;
  const auto scope = LogContext::push("RequestId", 7);
  const auto trace = LogContext::push_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  const ContextSnapshot snapshot = LogContext::snapshot();
  EXPECT_EQ(snapshot.size(), 1U);
  std::thread([&] {
    kept.log.information("bare");
    EXPECT_EQ(kept.last("RequestId"), "-");
    {
      const LogContext::Scope carried(snapshot);
      kept.log.information("carried");
      EXPECT_EQ(kept.last("RequestId"), "7");
      EXPECT_EQ(kept.last()->trace_id(), "0af7651916cd43dd8448eb211c80319c");
    }
    kept.log.information("bare again");
    EXPECT_EQ(kept.last("RequestId"), "-");
    EXPECT_EQ(kept.last()->trace_id(), "");
  }).join();
}

TEST_F(LogContextTest, never_changes_a_snapshot) {
  auto a = held("A", 1);
  const ContextSnapshot snapshot = LogContext::snapshot();
  const auto b = LogContext::push("B", 2);
  {
    const LogContext::Scope carried(snapshot);
    const auto c = LogContext::push("C", 3);
    a.reset();
    EXPECT_EQ(in_force("A"), "1") << "the end of the push does not reach into the copy";
    EXPECT_EQ(in_force("B"), "-");
    EXPECT_EQ(snapshot.size(), 1U);
  }
  EXPECT_EQ(in_force("A"), "-") << "but into what the scope had put aside";
  EXPECT_EQ(in_force("B"), "2");
  EXPECT_EQ(in_force("C"), "-");
}

TEST_F(LogContextTest, suspends_the_context_and_restores_exactly_what_was_there) {
  const auto a = LogContext::push("A", 1);
  const auto bytes = LogContext::size_bytes();
  {
    const auto suspended = LogContext::suspend();
    EXPECT_EQ(LogContext::size_bytes(), 0U);
    const auto b = LogContext::push("B", 2);
    LogContext::clear();
    EXPECT_EQ(LogContext::size(), 0U);
  }
  EXPECT_EQ(in_force("A"), "1");
  EXPECT_EQ(LogContext::size_bytes(), bytes);
}

TEST_F(LogContextTest, ends_snapshot_scopes_in_any_order) {
  ContextSnapshot snapshots[3];
  for (int i = 0; i < 3; ++i) {
    snapshots[i] = LogContext::with("Which", i, [] { return LogContext::snapshot(); });
  }
  std::array<int, 3> order{0, 1, 2};
  do {
    const auto base = LogContext::push("Which", "base");
    std::optional<LogContext::Scope> scopes[3];
    for (int i = 0; i < 3; ++i) scopes[i].emplace(snapshots[i]);
    std::set<int> open{0, 1, 2};
    for (const int next : order) {
      scopes[next].reset();
      open.erase(next);
      EXPECT_EQ(in_force("Which"), open.empty() ? "base" : std::to_string(*open.rbegin()));
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(LogContextTest, forgets_everything_on_clear_and_lets_open_scopes_end) {
  auto a = held("A", 1);
  LogContext::clear();
  EXPECT_EQ(LogContext::size(), 0U);
  const auto b = LogContext::push("A", 2);
  a.reset();
  EXPECT_EQ(in_force("A"), "2");
}

// ---- threads

TEST_F(LogContextTest, belongs_to_its_thread) {
  const auto scope = LogContext::push("Mine", 1);
  std::thread([] {
    EXPECT_EQ(LogContext::size(), 0U);
    const auto theirs = LogContext::push("Theirs", 2);
    EXPECT_EQ(LogContext::size(), 1U);
  }).join();
  EXPECT_EQ(LogContext::size(), 1U);
}

TEST_F(LogContextTest, is_not_harmed_by_scopes_ended_on_another_thread) {
  // the first pushes of two threads, one's scopes ended on the other: what each made is numbered alike unless care is
  // taken
  std::thread([] {
    auto mine = held("A", 1);
    std::optional<LogContext::Scope> scope;
    scope.emplace(LogContext::snapshot());
    std::thread([&] {
      const auto theirs = LogContext::push("A", 2);
      const LogContext::Scope over(LogContext::snapshot());
      const auto inner = LogContext::push("B", 3);
      mine.reset();
      scope.reset();
      EXPECT_EQ(in_force("A"), "2");
      EXPECT_EQ(in_force("B"), "3");
      EXPECT_EQ(LogContext::with("C", 4, [] { return LogContext::size(); }), 3U);
    }).join();
    EXPECT_EQ(in_force("A"), "1");
  }).join();
}

TEST_F(LogContextTest, can_be_used_from_destructors_of_thread_locals) {
  static std::atomic<int> seen{0};
  struct Late {
    ~Late() {
      const auto scope = LogContext::push("Late", 1);
      seen = static_cast<int>(LogContext::size());
      (void)LogContext::new_correlation_id();
    }
  };
  std::thread([] {
    thread_local const Late late;
    (void)&late;
    const auto scope = LogContext::push("Early", 1);
  }).join();
  EXPECT_EQ(seen, 1);
}

// ---- correlation ids

bool is_uuid_4(const std::string& text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : std::string_view("0123456789abcdef").find(text[i]) == std::string_view::npos)
      return false;
  }
  return text[14] == '4' && std::string_view("89ab").find(text[19]) != std::string_view::npos;
}

TEST_F(LogContextTest, makes_version_4_uuids_that_never_repeat_on_any_thread) {
  std::vector<std::vector<std::string>> made(4);
  std::vector<std::thread> threads;
  for (auto& list : made) {
    threads.emplace_back([&list] {
      for (int i = 0; i < 25'000; ++i) list.push_back(LogContext::new_correlation_id());
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  for (const auto& list : made) {
    for (const std::string& id : list) {
      ASSERT_TRUE(is_uuid_4(id)) << id;
      ASSERT_TRUE(all.insert(id).second) << id;
    }
  }
}

TEST_F(LogContextTest, makes_uuids_whose_free_bits_are_all_used) {
  std::array<std::set<char>, 36> digits;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = LogContext::new_correlation_id();
    for (std::size_t at = 0; at < id.size(); ++at) digits[at].insert(id[at]);
  }
  for (std::size_t at = 0; at < digits.size(); ++at) {
    const bool dash = at == 8 || at == 13 || at == 18 || at == 23;
    EXPECT_EQ(digits[at].size(), dash || at == 14 ? 1U : at == 19 ? 4U : 16U) << at;
  }
}

/// What `make` gives in a child process.
template <class F>
std::string from_child(F make) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const std::string text = make();
    const bool written = write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
    _exit(written ? 0 : 1);
  }
  close(ends[1]);
  std::string text(4096, '\0');
  const ssize_t got = read(ends[0], text.data(), text.size());
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  close(ends[0]);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  return text;
}

TEST_F(LogContextTest, makes_other_uuids_in_a_forked_child_and_its_child_than_in_the_parent) {
  (void)LogContext::new_correlation_id();  // the generator is seeded before the fork
  const std::string first = from_child([] { return LogContext::new_correlation_id(); });
  const std::string second = from_child([] { return LogContext::new_correlation_id(); });
  const std::string grandchild = from_child([] { return from_child([] { return LogContext::new_correlation_id(); }); });
  const std::string mine = LogContext::new_correlation_id();
  EXPECT_EQ((std::set<std::string>{first, second, grandchild, mine}.size()), 4U);
  EXPECT_TRUE(is_uuid_4(first)) << first;
  EXPECT_TRUE(is_uuid_4(grandchild)) << grandchild;
}

// The original's generator was never seeded: every run had the same ids.
TEST_F(LogContextTest, makes_other_uuids_in_every_run_of_the_program) {
  if (std::getenv("CAIRN_TEST_PRINT_UUID") != nullptr) {
    std::printf("uuid=%s\n", LogContext::new_correlation_id().c_str());
    return;
  }
  const auto run = [] {
    const std::string command = "CAIRN_TEST_PRINT_UUID=1 /proc/" + std::to_string(getpid()) +
                                "/exe --gtest_filter=LogContextTest.makes_other_uuids_in_every_run_of_the_program";
    FILE* output = popen(command.c_str(), "r");
    std::string id;
    char line[256];
    while (output != nullptr && std::fgets(line, sizeof(line), output) != nullptr) {
      if (std::string_view(line).starts_with("uuid=")) id.assign(line + 5, 36);
    }
    if (output != nullptr) pclose(output);
    return id;
  };
  const std::string first = run();
  const std::string second = run();
  EXPECT_TRUE(is_uuid_4(first)) << first;
  EXPECT_TRUE(is_uuid_4(second)) << second;
  EXPECT_NE(first, second);
}

TEST_F(LogContextTest, carries_the_correlation_id_given_or_a_new_one) {
  KeptEvents kept;
  EXPECT_EQ(LogContext::correlation_id(), "");
  {
    const auto given = LogContext::push_correlation_id("order-17");
    EXPECT_EQ(LogContext::correlation_id(), "order-17");
    {
      const auto made = LogContext::push_correlation_id();
      EXPECT_TRUE(is_uuid_4(LogContext::correlation_id()));
      kept.log.information("x");
      EXPECT_EQ(kept.last("CorrelationId"), LogContext::correlation_id());
    }
    EXPECT_EQ(LogContext::correlation_id(), "order-17");
  }
  EXPECT_EQ(LogContext::correlation_id(), "");
}

// The original lost the correlation id when a property was added.
TEST_F(LogContextTest, keeps_the_correlation_id_when_properties_are_added) {
  const auto id = LogContext::push_correlation_id("keep-me");
  const auto more = LogContext::push("More", 1);
  EXPECT_EQ(LogContext::correlation_id(), "keep-me");
  EXPECT_EQ(in_force("More"), "1");
}

}  // namespace
