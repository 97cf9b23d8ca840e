// cairn-catalog: the events that a program may log, and what became of them from one build to another.
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "comparison.hpp"

namespace {

constexpr const char* usage =
    "usage: cairn-catalog [--json] BINARY             every event that BINARY, a program or library, may log\n"
    "       cairn-catalog [--json] --compare OLD NEW  the events that were changed, added and removed\n"
    "Lists call sites in the macro form (CAIRN_INFORMATION and its siblings); those in the function form are known to\n"
    "the running program only: cairn::catalog(). Exits with 0; with 1 if OLD and NEW differ; with 2 on an error.\n";

constexpr int same = 0, different = 1, trouble = 2;

std::vector<cairn::CatalogEvent> read(const std::string& path) {
  std::vector<cairn::CatalogEvent> events = cairn::read_catalog(path);
  if (events.empty()) std::fprintf(stderr, "cairn-catalog: %s: no call site in the macro form\n", path.c_str());
  return events;
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

int run(const std::vector<std::string>& files, bool json, bool comparing) {
  if (comparing) {
    const Comparison comparison = compare(read(files[0]), read(files[1]));
    print(json ? to_json(comparison) + '\n' : to_text(comparison));
    return comparison.same() ? same : different;
  }
  const std::vector<cairn::CatalogEvent> events = read(files[0]);
  if (json) {
    print(cairn::to_json(events) + '\n');
  } else {
    for (const cairn::CatalogEvent& event : events) print(cairn::to_text(event) + '\n');
  }
  return same;
}

}  // namespace

int main(int count, char** arguments) {
  std::vector<std::string> files;
  bool json = false;
  bool comparing = false;
  bool options_end = false;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    if (options_end || argument.empty() || argument.front() != '-') {
      files.emplace_back(argument);
    } else if (argument == "--") {
      options_end = true;
    } else if (argument == "--json") {
      json = true;
    } else if (argument == "--compare") {
      comparing = true;
    } else if (argument == "--help") {
      std::fputs(usage, stdout);
      return same;
    } else {
      std::fprintf(stderr, "cairn-catalog: no option '%s'\n%s", arguments[i], usage);
      return trouble;
    }
  }
  if (files.size() != (comparing ? 2U : 1U)) {
    std::fputs(usage, stderr);
    return trouble;
  }
  try {
    const int code = run(files, json, comparing);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      std::perror("cairn-catalog: standard output");
      return trouble;
    }
    return code;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "cairn-catalog: %s\n", e.what());
    return trouble;
  }
}
