// What a sink, a filter or an enricher does to the context of the thread that calls it is for the events to come: the
// one that it was given keeps the context under which it was logged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <memory>
#include <string>
#include <vector>

namespace {
using namespace cairn;
using ::testing::Each;
using ::testing::ElementsAre;

template <class T>
std::unique_ptr<ContextScope> pushed(const std::string& name, const T& value) {
  return std::unique_ptr<ContextScope>(new ContextScope(LogContext::push(name, value)));
}

/// Changes the context in the middle of an event, and looks at the event again.
class Changing final : public Sink {
 public:
  EmitResult emit(std::span<const Event> events) override {
    const Event& event = events.front();
    const auto user = event.property("User")->as_string().value();
    const std::string before = to_clef(event);
    std::vector<std::unique_ptr<ContextScope>> scopes;
    for (int i = 0; i < 30; ++i) scopes.push_back(pushed("Filler" + std::to_string(i), std::string(60, 'x')));
    read.emplace_back(user);
    unchanged = unchanged && to_clef(event) == before;
    if (keeps) kept.push_back(pushed("Kept", 1));
    if (logs_to) logs_to->information("from within");
    scopes.clear();
    unchanged = unchanged && to_clef(event) == before;
    read.emplace_back(user);
    return EmitResult::all(events);
  }
  std::vector<std::string> read;
  std::vector<std::unique_ptr<ContextScope>> kept;
  std::optional<Logger> logs_to;
  bool keeps = false;
  bool unchanged = true;
};

std::vector<std::size_t> counts(const MemorySink& sink) {
  std::vector<std::size_t> all;
  for (const OwnedEvent& event : sink.events()) {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& property : event.view().ambient_properties()) ++count;
    all.push_back(count);
  }
  return all;
}

TEST(ContextChangedMeanwhile, by_a_sink_is_for_the_events_to_come) {
  const auto changing = std::make_shared<Changing>();
  const auto behind = std::make_shared<MemorySink>();
  Configuration config;
  config.write_to(changing, "changing");
  config.write_to(behind, "behind");
  const Logger log = config.create_logger();
  const auto scope = LogContext::push("User", "ann of the long name, so that it is nowhere else");
  log.information("one");
  changing->keeps = true;
  log.information("two");
  changing->keeps = false;
  log.information("three");
  EXPECT_THAT(changing->read, Each("ann of the long name, so that it is nowhere else"));
  EXPECT_TRUE(changing->unchanged);
  EXPECT_THAT(counts(*behind), ElementsAre(1, 1, 2)) << "the third has what was kept of the second";
  changing->kept.clear();
}

TEST(ContextChangedMeanwhile, is_what_calls_from_within_have) {
  const auto inner_changing = std::make_shared<Changing>();
  const auto inner_memory = std::make_shared<MemorySink>();
  Configuration inner;
  inner.write_to(inner_changing, "changing");
  inner.write_to(inner_memory, "memory");
  const auto outer_changing = std::make_shared<Changing>();
  const auto outer_memory = std::make_shared<MemorySink>();
  outer_changing->logs_to = inner.create_logger();
  Configuration outer;
  outer.write_to(outer_changing, "changing");
  outer.write_to(outer_memory, "memory");
  const Logger log = outer.create_logger();
  const auto scope = LogContext::push("User", "ann of the long name, so that it is nowhere else");
  log.information("one");
  EXPECT_TRUE(inner_changing->unchanged && outer_changing->unchanged);
  EXPECT_THAT(counts(*inner_memory), ElementsAre(31));
  EXPECT_THAT(counts(*outer_memory), ElementsAre(1));
  EXPECT_EQ(LogContext::size(), 1U);
}

TEST(ContextChangedMeanwhile, by_an_enricher_is_for_the_events_to_come) {
  for (const bool queued : {false, true}) {
    const auto memory = std::make_shared<MemorySink>();
    std::string read;
    Configuration config;
    config.enrich_with(Enricher([&](EventBuilder& event) {
      const auto user = event.event().property("User")->as_string().value();
      std::vector<std::unique_ptr<ContextScope>> scopes;
      for (int i = 0; i < 30; ++i) scopes.push_back(pushed("Filler" + std::to_string(i), std::string(60, 'x')));
      read = user;
    }));
    auto handle = config.write_to(memory, "memory");
    if (queued) handle.with_queue();
    const Logger log = config.create_logger();
    const auto scope = LogContext::push("User", "ann of the long name, so that it is nowhere else");
    log.information("one");
    ASSERT_EQ(log.flush().status, FlushStatus::ok);
    EXPECT_EQ(read, "ann of the long name, so that it is nowhere else");
    EXPECT_THAT(counts(*memory), ElementsAre(1));
  }
}

TEST(ContextChangedMeanwhile, at_the_capture_is_for_the_events_to_come_queued_as_synchronous) {
  for (const bool queued : {false, true}) {
    SCOPED_TRACE(queued ? "queued" : "synchronous");
    std::vector<std::unique_ptr<ContextScope>> kept;
    const auto memory = std::make_shared<MemorySink>();
    Configuration config;
    config.enrich_at_capture([&](EventBuilder&) {
      LogContext::clear();
      kept.push_back(pushed("Kept" + std::to_string(kept.size()), 1));
    });
    SinkConfiguration sink = config.write_to(memory, "memory");
    if (queued) sink.with_queue({});
    const Logger log = config.create_logger();
    const auto scope = LogContext::push("User", "ann");
    for (const char* text : {"one", "two", "three"}) log.information("{Text}", text);
    ASSERT_EQ(log.flush().status, FlushStatus::ok);
    std::vector<std::string> under;
    for (const OwnedEvent& event : memory->events()) {
      for (const auto& property : event.view().ambient_properties()) under.emplace_back(property.name);
      under.emplace_back("|");
    }
    EXPECT_THAT(under, ElementsAre("User", "|", "Kept0", "|", "Kept1", "|"));
    kept.clear();
  }
}

TEST(ContextChangedMeanwhile, at_the_capture_of_one_logger_is_what_the_next_call_of_another_has) {
  std::vector<std::unique_ptr<ContextScope>> kept;
  const auto memory = std::make_shared<MemorySink>();
  Configuration config;
  config.write_to(memory, "memory").with_queue({});
  const Logger log = config.create_logger();
  const Logger changing =
      log.with_enricher(Enricher([&](EventBuilder&) { kept.push_back(pushed("Kept", 1)); }).at_capture());
  log.information("opens the window {A}", 1);
  changing.information("one {A}", 1);
  log.information("two {A}", 2);
  ASSERT_EQ(log.flush().status, FlushStatus::ok);
  EXPECT_THAT(counts(*memory), ElementsAre(0, 0, 1));
  kept.clear();
}

}  // namespace
