// H6: values, structures and events that are too big. Each cut is made before anything is copied, marked in the outputs
// and counted.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cairn/all.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "support/every_output.hpp"

namespace {

using cairn::testing::EveryOutput;

/// A hundred megabytes of which only the first may be read.
class MostlyForbidden {
 public:
  MostlyForbidden() {
    void* const at = ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    EXPECT_NE(at, MAP_FAILED);
    EXPECT_EQ(::mprotect(at, readable, PROT_READ | PROT_WRITE), 0);
    bytes_ = static_cast<char*>(at);
    std::fill_n(bytes_, readable, 'x');
  }
  ~MostlyForbidden() { ::munmap(bytes_, size); }
  MostlyForbidden(const MostlyForbidden&) = delete;
  MostlyForbidden& operator=(const MostlyForbidden&) = delete;
  [[nodiscard]] std::string_view view() const { return {bytes_, size}; }

  static constexpr std::size_t size = 100'000'000;
  static constexpr std::size_t readable = 17 * 4096;  // 64 KiB, and what a cut may look at to find a character's start

 private:
  char* bytes_ = nullptr;
};

TEST(H6Limits, a_hundred_megabytes_are_cut_before_they_are_read) {
  EveryOutput out;
  const MostlyForbidden huge;
  out.log.information("{Huge}", huge.view());
  out.expect_sound(1);
  const std::string kept = out.last()["Huge"];
  EXPECT_EQ(kept, std::string(65536, 'x') + "…(+99934464 bytes)");
  EXPECT_TRUE(out.memory->events().at(0)->truncated());
  EXPECT_EQ(out.log.metrics().logger.truncated, 1U);
}

TEST(H6Limits, many_elements_are_cut_with_a_mark) {
  EveryOutput out;
  out.log.information("{Many}", std::vector<int>(100'000, 7));
  out.expect_sound(1);
  EXPECT_EQ(out.last()["Many"].size(), 1001U);
  EXPECT_EQ(out.last()["Many"].back(), "…(+99000 elements)");
  EXPECT_EQ(out.log.metrics().logger.truncated, 1U);
}

TEST(H6Limits, an_event_is_cut_whatever_it_is_made_of) {
  EveryOutput out;
  out.log.information("{A} {B} {C} {D} {E} {F}", std::string(65536, 'a'), std::string(65536, 'b'),
                      std::string(65536, 'c'), std::string(65536, 'd'), std::string(65536, 'e'),
                      std::vector<std::string>(1000, std::string(1000, 'f')));
  out.expect_sound(1);
  const auto event = out.last();
  std::size_t bytes = 0;
  for (const char* name : {"A", "B", "C", "D", "E"}) bytes += event[name].get<std::string>().size();
  EXPECT_LT(bytes, 263'000U);
  EXPECT_GT(bytes, 262'000U);
  EXPECT_TRUE(event["E"].get<std::string>().starts_with("…(+")) << event["E"];
  EXPECT_EQ(out.log.metrics().logger.truncated, 1U);
}

TEST(H6Limits, more_properties_than_an_event_may_have_are_left_out_marked_and_counted) {
  EveryOutput out;
  cairn::Logger log = out.log;
  for (int i = 0; i < 200; ++i) log = log.for_context("P" + std::to_string(i), i);
  log.information("{A} {B}", 1, 2);
  out.expect_sound(1);
  const auto event = out.last();
  EXPECT_EQ(event["A"], 1);
  EXPECT_EQ(event["P125"], 125) << "128 in all";
  EXPECT_FALSE(event.contains("P126"));
  EXPECT_EQ(event["…"], "…(+74 properties)");
  EXPECT_NE(out.text().find("…(+74 properties)"), std::string::npos);
  EXPECT_NE(out.classic().find("…(+74 properties)"), std::string::npos);
  EXPECT_TRUE(out.memory->events().at(0)->truncated());
  EXPECT_EQ(out.memory->events().at(0)->omitted_properties(), 74U);
  EXPECT_EQ(out.log.metrics().logger.truncated, 1U);
}

TEST(H6Limits, the_bound_on_properties_is_the_one_configured) {
  cairn::Configuration configuration;
  configuration.capture_limits({.properties = 3});
  EveryOutput out(configuration);
  const auto context = cairn::LogContext::push("Context", "c");
  const cairn::Logger log = out.log.for_context("Logger", "l");

  log.information("{A}", 1);
  EXPECT_EQ(out.last().size(), 5U) << "@t, @mt and three";
  EXPECT_EQ(out.log.metrics().logger.truncated, 0U) << "just enough is no cut";
  log.information("{A} {B}", 1, 2);
  EXPECT_EQ(out.last()["Context"], "c");
  EXPECT_EQ(out.last()["…"], "…(+1 properties)");
  EXPECT_EQ(out.log.metrics().logger.truncated, 1U);
  log.information("{A} {B} {C} {D} {E}", 1, 2, 3, 4, 5);
  EXPECT_EQ(out.last()["C"], 3);
  EXPECT_FALSE(out.last().contains("D"));
  EXPECT_EQ(out.last()["…"], "…(+4 properties)");
  EXPECT_TRUE(out.text().find("1 2 3 4 5") != std::string::npos) << "the message has them all";
  EXPECT_EQ(out.log.metrics().logger.truncated, 2U);
  log.information("{Logger} {Context} {A}", 1, 2, 3);
  EXPECT_FALSE(out.last().contains("…")) << "a name counts once";
  EXPECT_EQ(out.log.metrics().logger.truncated, 2U);
  out.expect_sound(4);
}

TEST(H6Limits, what_enrichers_and_exceptions_add_is_bounded_too) {
  cairn::Configuration configuration;
  configuration.capture_limits({.properties = 4}).enrich_with([](cairn::EventBuilder& event) {
    for (int i = 0; i < 1000; ++i) event.add("E" + std::to_string(i), i);
  });
  EveryOutput out(configuration);
  out.log.error(std::runtime_error("why"), "{A}", 1);
  EXPECT_EQ(out.last()["E2"], 2);
  EXPECT_FALSE(out.last().contains("E3"));
  EXPECT_EQ(out.last()["…"], "…(+999 properties)") << "997 of the enricher, two of the exception";
  EXPECT_EQ(out.last()["@x"], "std::runtime_error: why");
  EXPECT_EQ(out.log.metrics().logger.truncated, 1U);
  out.expect_sound(1, 1);
}

TEST(H6Limits, the_mark_never_takes_the_name_of_a_property) {
  cairn::Configuration configuration;
  configuration.capture_limits({.properties = 1});
  EveryOutput out(configuration);
  const auto taken = cairn::LogContext::push("…", "taken");
  out.log.information("{A}", 1);
  EXPECT_EQ(out.last()["……"], "…(+1 properties)");
  out.expect_sound(1);
}

TEST(H6Limits, a_sink_sees_no_more_than_the_bound) {
  cairn::Configuration configuration;
  configuration.capture_limits({.properties = 2});
  EveryOutput out(configuration);
  out.log.for_context("L", 3).information("{A} {B}", 1, 2);
  const cairn::OwnedEvent event = out.memory->events().at(0);
  std::size_t count = 0;
  for (const cairn::Property& property : event->properties()) {
    EXPECT_NE(property.name, "L");
    ++count;
  }
  EXPECT_EQ(count, 2U);
  EXPECT_EQ(event->max_properties(), 2U);
}

}  // namespace
