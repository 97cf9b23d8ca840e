#include "cairn/level.hpp"

#include <benchmark/benchmark.h>

namespace {
void parse_level(benchmark::State& state) {
  std::string_view text = "Warning";
  for (auto _ : state) {
    benchmark::DoNotOptimize(text);
    benchmark::DoNotOptimize(cairn::parse_level(text));
  }
}
BENCHMARK(parse_level);
}  // namespace
