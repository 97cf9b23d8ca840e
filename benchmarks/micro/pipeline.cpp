// What one call costs, part by part: a call into no sink and three, with context, an enricher, a filter, a level that
// is off; to a file.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "cairn/cairn.hpp"
#include "cairn/configuration.hpp"
#include "cairn/log_context.hpp"
#include "cairn/render.hpp"

namespace {

void calls(benchmark::State& state, const cairn::Logger& log) {
  const std::string user = "alice";
  int order = 0;
  for (auto _ : state) {
    log.information("User {User} placed order {Order} of {Total}", user, order, 12.5);
    ++order;
  }
}

void null_sink(benchmark::State& state) { calls(state, cairn::Configuration{}.write_to_null().create_logger()); }
BENCHMARK(null_sink);

void three_null_sinks(benchmark::State& state) {
  cairn::Configuration config;
  config.write_to_null().with_name("a");
  config.write_to_null().with_name("b");
  config.write_to_null().with_name("c");
  calls(state, config.create_logger());
}
BENCHMARK(three_null_sinks);

void disabled_level(benchmark::State& state) {
  calls(state, cairn::Configuration{}.error().write_to_null().create_logger());
}
BENCHMARK(disabled_level);

void event_with_context(benchmark::State& state) {
  const auto scope = cairn::LogContext::push("RequestId", "0HMVE2E7Q3J5K");
  null_sink(state);
}
BENCHMARK(event_with_context);

void context_push_and_pop(benchmark::State& state) {
  for (auto _ : state) {
    const auto scope = cairn::LogContext::push("RequestId", 42);
    benchmark::DoNotOptimize(&scope);
  }
}
BENCHMARK(context_push_and_pop);

void with_enricher(benchmark::State& state) {
  calls(state, cairn::Configuration{}.write_to_null().create_logger().with_enricher(
                   [](cairn::EventBuilder& e) { e.add("Attempt", 3); }));
}
BENCHMARK(with_enricher);

void filter_that_rejects(benchmark::State& state) {
  calls(state,
        cairn::Configuration{}.filter_by(cairn::filters::level(cairn::Level::error)).write_to_null().create_logger());
}
BENCHMARK(filter_that_rejects);

void filter_on_a_property(benchmark::State& state) {
  calls(state,
        cairn::Configuration{}.filter_by(cairn::filters::property("User", "alice")).write_to_null().create_logger());
}
BENCHMARK(filter_on_a_property);

void dynamic_template(benchmark::State& state) {
  const auto log = cairn::Configuration{}.write_to_null().create_logger();
  for (auto _ : state) log.information(cairn::dynamic_template("User {User} placed order {Order}"), "alice", 42);
}
BENCHMARK(dynamic_template);

void render_template(benchmark::State& state) {
  const auto parsed = cairn::MessageTemplate::parse("User {User} placed order {Order}");
  const cairn::OwnedValue user("alice");
  const cairn::OwnedValue order(42);
  const cairn::Value values[] = {user.view(), order.view()};
  for (auto _ : state) benchmark::DoNotOptimize(parsed.render(values));
}
BENCHMARK(render_template);

void capture_a_value(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(cairn::OwnedValue(42));
}
BENCHMARK(capture_a_value);

void file(benchmark::State& state, const char* name, bool buffered) {
  std::string folder = (std::filesystem::temp_directory_path() / "cairn-micro-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return state.SkipWithError("no folder");
  {
    calls(state,
          cairn::Configuration{}
              .write_to_file(folder + "/" + name, {.max_file_bytes = 64 << 20, .retain_files = 2, .buffered = buffered})
              .create_logger());
  }
  std::filesystem::remove_all(folder);
}
void clef_file(benchmark::State& state) { file(state, "a.clef", false); }
void clef_file_buffered(benchmark::State& state) { file(state, "a.clef", true); }
void text_file_buffered(benchmark::State& state) { file(state, "a.log", true); }
BENCHMARK(clef_file);
BENCHMARK(clef_file_buffered);
BENCHMARK(text_file_buffered);

}  // namespace
