// Whatever a program does with a logger, a queued sink writes byte for byte what a synchronous one writes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cairn/all.hpp>
#include <cairn/types/thread_id.hpp>
#include <deque>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <sstream>
#include <thread>
#include <variant>
#include <vector>

namespace {

using namespace std::chrono_literals;

/// Each call is a millisecond later.
struct SteppingClock final : cairn::Clock {
  cairn::Timestamp now() noexcept override {
    return cairn::Timestamp(std::chrono::nanoseconds(1'769'879'109'123'456'789 + 1'000'000 * ++steps));
  }
  std::chrono::nanoseconds steady() noexcept override { return std::chrono::nanoseconds(1'000'000 * steps); }
  std::atomic<std::int64_t> steps{0};
};

enum class Colour { red, green };
struct Item {
  std::string sku;
  int count = 0;
  std::optional<double> price;
};
struct Order {
  int id = 0;
  std::vector<Item> items;
  std::map<std::string, int> tags;
  Colour colour = Colour::green;
};
struct Hostile {
  friend std::ostream& operator<<(std::ostream& out, const Hostile&) {
    if (true) throw std::runtime_error("will not print");
    return out;
  }
};

Order an_order() { return {7, {{"A-1", 2, 9.5}, {"B-2", 1, std::nullopt}}, {{"gift", 1}, {"vip", 0}}, Colour::red}; }

using Program = std::function<void(cairn::Configuration&, const std::function<cairn::Logger()>&)>;
struct Case {
  const char* name;
  Program program;
};
void PrintTo(const Case& which, std::ostream* out) { *out << which.name; }

/// A case that only logs.
Case logs(const char* name, std::function<void(const cairn::Logger&)> calls) {
  return {name, [calls = std::move(calls)](cairn::Configuration&, const std::function<cairn::Logger()>& create) {
            calls(create());
          }};
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      logs("scalars",
           [](const cairn::Logger& log) {
             log.information("{A} {B} {C} {D} {E} {F}", 1, -2L, 3.25, true, 'x', 18446744073709551615ULL);
             log.verbose("{F} {I} {N} {Z}", 1.5F, std::numeric_limits<std::int64_t>::min(),
                         std::numeric_limits<double>::quiet_NaN(), -0.0);
             log.fatal("{Small} {Byte}", static_cast<std::int8_t>(-3), std::byte{7});
             log.warning("{P} {Null}", static_cast<const void*>(nullptr), nullptr);
             log.error("no hole");
           }),
      logs("strings",
           [](const cairn::Logger& log) {
             const std::string own = "own \"quoted\" \n line";
             log.information("{A} {B} {C}", own, std::string_view("view"), "literal");
             const char* nothing = nullptr;
             log.information("{Nothing} {Empty} {Hostile}", nothing, "", "\x1b[31m\xff\u202e");
             log.information("{Long}", std::string(70'000, 'l'));
             const char unterminated[3] = {'a', 'b', 'c'};
             log.information("{Unterminated}", unterminated);
           }),
      logs("times_and_durations",
           [](const cairn::Logger& log) {
             log.information("{A} {B} {C}", 1500us, std::chrono::duration<double>(2.5),
                             cairn::Timestamp(std::chrono::nanoseconds(1'000'000'000'123'456'789)));
           }),
      logs("formats_and_alignment",
           [](const cairn::Logger& log) {
             log.information("{A,8}|{B,-8}|{C:.2f}|{D:X}", 1, "left", 3.14159, 255);
             log.information("{0} {1} {0}", "a", "b");
           }),
      logs("structures",
           [](const cairn::Logger& log) {
             log.information("{@Order}", an_order());
             log.information("{@Items} {$Items2}", an_order().items, std::vector<int>{1, 2, 3});
             log.information("{Pair} {Tuple} {Optional}", std::pair(1, "x"), std::tuple(1, 2.5, "z"),
                             std::optional<int>());
             log.information("{Map} {Variant}", std::map<int, std::string>{{1, "a"}, {2, "b"}},
                             std::variant<int, std::string>("v"));
             log.information("{Colour} {Many}", Colour::red, std::vector<int>(2000, 5));
           }),
      logs("secrets",
           [](const cairn::Logger& log) { log.information("{Token}", cairn::secret(std::string("S3CR3T"))); }),
      logs("macros",
           [](const cairn::Logger& log) {
             const int count = 3;
             const std::string name = "n";
             CAIRN_INFORMATION(log, "{} of {}", count, name);
             CAIRN_WARNING(log, "{@Order} {Count}", an_order(), count);
             CAIRN_ERROR(log, std::runtime_error("broken"), "with {Count}", count);
           }),
      logs("exceptions",
           [](const cairn::Logger& log) {
             try {
               try {
                 throw std::runtime_error("inner");
               } catch (...) {
                 std::throw_with_nested(std::logic_error("outer"));
               }
             } catch (const std::exception& e) {
               log.error(e, "Failed {Id}", 7);
               log.error(std::current_exception(), "Failed again {Id}", 8);
             }
             log.error(std::exception_ptr(), "None {Id}", 9);
           }),
      logs("dynamic_templates",
           [](const cairn::Logger& log) {
             log.write(cairn::Level::information, cairn::dynamic_template("Run-time {Name} {@Order}"), "x", an_order());
             log.write(cairn::Level::information, cairn::dynamic_template("{broken {A:Q9}"), 1);
             log.write(cairn::Level::information, cairn::dynamic_template("surplus {A}"), 1, 2, 3);
           }),
      logs("hostile_values", [](const cairn::Logger& log) { log.information("{Hostile} {After}", Hostile{}, 1); }),
      logs("context",
           [](const cairn::Logger& log) {
             log.information("before");
             {
               const auto user = cairn::LogContext::push("User", "ann");
               log.information("in {Scope}", 1);
               const auto order = cairn::LogContext::push("Order", std::vector<int>{1, 2});
               const auto again = cairn::LogContext::push("User", "bob");
               log.information("in {Scope}", 2);
               const auto suspended = cairn::LogContext::suspend();
               log.information("suspended");
             }
             log.information("after");
             for (int i = 0; i < 500; ++i) {
               const auto scope = cairn::LogContext::push("I", i);
               log.information("{User} {N}", "template wins", i);
             }
           }),
      logs("traces",
           [](const cairn::Logger& log) {
             const auto parent =
                 cairn::LogContext::push_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
             log.information("traced");
             const auto id = cairn::LogContext::push_correlation_id("abc");
             log.information("correlated");
           }),
      logs("context_with_a_timeout",
           [](const cairn::Logger& log) {
             const auto scope = cairn::LogContext::push("Short", 1, 1ns);
             const auto other = cairn::LogContext::push("Long", 2, std::chrono::hours(24 * 365 * 200));
             log.information("expired by the event's time");
           }),
      logs("handles",
           [](const cairn::Logger& log) {
             auto shard = log.for_context("Shard", 7);
             shard.information("a");
             auto source = shard.for_source("shop::orders");
             source.information("b {Shard}", "template wins");
             source.for_context("Shard", std::vector<int>{8}).information("c");
             log.with_enricher([](cairn::EventBuilder& e) { e.add("Own", 1); }).information("d");
             log.with_enricher(cairn::enrichers::property("Kept", 1)).for_context("More", 2).information("e");
             log.add_filter(cairn::filters::level(cairn::Level::error)).information("not this");
             for (int i = 0; i < 300; ++i) log.for_context("I", i).information("short-lived {N}", i);
             log.information("f");
           }),
      {"enrichers",
       [](cairn::Configuration& config, const std::function<cairn::Logger()>& create) {
         config.enrich_with_property("Version", "1.2")
             .enrich_with([](cairn::EventBuilder& e) { e.add("Length", e.event().message().size()); })
             .enrich_with(cairn::enrichers::thread_id())
             .enrich_with(cairn::enrichers::source_location())
             .enrich_at_capture([](cairn::EventBuilder& e) { e.add("At", e.event().timestamp()); })
             .enrich_with([](cairn::EventBuilder&) { throw std::runtime_error("an enricher that throws"); });
         const auto log = create();
         log.information("{A}", 1);
         log.information("{Version} wins over the enricher's", 2);
         const auto scope = cairn::LogContext::push("Length", "context wins");
         log.information("{A}", 3);
       }},
      {"filters_and_sampling",
       [](cairn::Configuration& config, const std::function<cairn::Logger()>& create) {
         config.filter_by(cairn::filters::sample_every(3)).filter_by([](const cairn::Event& e) {
           return e.property("N").value_or(cairn::Value()).as_int64() != 6;
         });
         const auto log = create();
         for (int i = 0; i < 20; ++i) log.information("{N}", i);
       }},
      {"levels_and_overrides",
       [](cairn::Configuration& config, const std::function<cairn::Logger()>& create) {
         config.minimum_level(cairn::Level::warning).minimum_level_override("shop", cairn::Level::debug);
         const auto log = create();
         log.information("no");
         log.warning("yes");
         log.for_source("shop.x").debug("yes, too");
       }},
  };
  return all;
}

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// What the case writes, as CLEF and as text.
std::string outputs(const Case& which, bool queued) {
  const std::string base =
      ::testing::TempDir() + "both_" + which.name + std::to_string(::getpid()) + (queued ? "q" : "s");
  SteppingClock clock;
  cairn::Configuration config;
  config.verbose().use_clock(clock).on_internal_error([](std::string_view) {});
  const cairn::QueueOptions options{.max_size = 1 << 16};
  cairn::SinkSpec clef =
      cairn::SinkSpec::file(base + ".clef", {.clef = {.rendered = true, .with_message = true, .nanoseconds = true}});
  cairn::SinkSpec text = cairn::SinkSpec::file(
      base + ".log", {.output_template = "{Timestamp} [{Level:u3}] {Message:lj} {Properties:j}{NewLine}{Exception}"});
  if (queued) {
    config.write_to(std::move(clef).with_queue(options));
    config.write_to(std::move(text).with_queue(options));
  } else {
    config.write_to(std::move(clef));
    config.write_to(std::move(text));
  }
  std::optional<cairn::Logger> log;
  which.program(config, [&] {
    log = config.create_logger();
    return *log;
  });
  EXPECT_EQ(log->close().status, cairn::FlushStatus::ok);
  const auto now = log->metrics();
  EXPECT_EQ(now.logger.captured, now.logger.dispatched + now.logger.filtered);
  std::string both = read(base + ".clef") + "----\n" + read(base + ".log");
  std::remove((base + ".clef").c_str());
  std::remove((base + ".log").c_str());
  return both;
}

class BothDeliveries : public ::testing::TestWithParam<Case> {};

TEST_P(BothDeliveries, write_the_same_bytes) {
  const std::string synchronous = outputs(GetParam(), false);
  const std::string queued = outputs(GetParam(), true);
  ASSERT_GT(synchronous.size(), 20U);
  EXPECT_EQ(synchronous, queued);
}
INSTANTIATE_TEST_SUITE_P(Features, BothDeliveries, ::testing::ValuesIn(cases()),
                         [](const auto& which) { return which.param.name; });

}  // namespace
