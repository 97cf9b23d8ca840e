// The main of a program of Google Benchmarks, with the one option that all our benchmark programs share.
//
//   int main(int count, char** arguments) { return benchmark_main(count, arguments); }
#pragma once

#include <benchmark/benchmark.h>

#include <string>
#include <string_view>
#include <vector>

/// Runs every registered benchmark. `--json FILE` writes the results to FILE as well; whatever else goes to the
/// library.
inline int benchmark_main(int count, char** arguments) {
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) {
    if (std::string_view{arguments[i]} == "--json" && i + 1 < count) {
      texts.push_back(std::string{"--benchmark_out="} + arguments[++i]);
      texts.emplace_back("--benchmark_out_format=json");
    } else {
      texts.emplace_back(arguments[i]);
    }
  }
  std::vector<char*> pointers;
  pointers.reserve(texts.size());
  for (std::string& text : texts) pointers.push_back(text.data());
  int left = static_cast<int>(pointers.size());
  benchmark::Initialize(&left, pointers.data());
  if (benchmark::ReportUnrecognizedArguments(left, pointers.data())) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
