// INDEX.tsv, held against the tests: every row of the fault catalogue stands in it once, with tests that exist or with
// `open`; every suite of this folder stands behind a row.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

const std::filesystem::path tests = std::filesystem::path(CAIRN_SOURCE_DIR) / "tests";

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == at)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

/// What is wrong with the index, line by line.
std::vector<std::string> faults_of(const std::string& index, const std::set<std::string>& existing,
                                   const std::vector<std::string>& catalogue) {
  std::vector<std::string> faults;
  std::set<std::string> seen;
  std::istringstream lines(index);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    const auto fields = split(line, '\t');
    if (fields.size() != 4) {
      faults.push_back("not four fields: " + line);
      continue;
    }
    const std::string& id = fields[0];
    if (!seen.insert(id).second) faults.push_back(id + ": twice");
    if (std::find(catalogue.begin(), catalogue.end(), id) == catalogue.end())
      faults.push_back(id + ": no row of the catalogue");
    if (fields[2] != "real" && fields[2] != "seam" && fields[2] != "open")
      faults.push_back(id + ": neither real, seam nor open");
    if ((fields[2] == "open") != fields[1].empty()) faults.push_back(id + ": open and tested, or neither");
    if (fields[2] == "open" && fields[3].empty()) faults.push_back(id + ": open, and no word why");
    if (fields[1].empty()) continue;
    for (std::string test : split(fields[1], ',')) {
      test.erase(0, test.find_first_not_of(' '));
      if (!existing.contains(test)) faults.push_back(id + ": there is no test " + test);
    }
  }
  for (const std::string& id : catalogue) {
    if (!seen.contains(id)) faults.push_back(id + ": not in the index");
  }
  return faults;
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Suite.name of every test in the files below `folder`.
std::set<std::string> tests_in(const std::filesystem::path& folder) {
  static const std::regex declared(R"(\bTEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\))");
  std::set<std::string> names;
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
    if (file.path().extension() != ".cpp") continue;
    const std::string text = text_of(file.path());
    for (std::sregex_iterator at(text.begin(), text.end(), declared); at != std::sregex_iterator(); ++at)
      names.insert((*at)[1].str() + '.' + (*at)[2].str());
  }
  return names;
}

/// `fault_bench.NAME` of every figure of the fault bench: its short form is a test of that name.
std::set<std::string> figures() {
  static const std::regex in_the_table(R"re(\n    \{"(\w+)", ")re");
  const std::string text = text_of(tests / "fault_bench" / "main.cpp");
  std::set<std::string> names;
  for (std::sregex_iterator at(text.begin(), text.end(), in_the_table); at != std::sregex_iterator(); ++at)
    names.insert("fault_bench." + (*at)[1].str());
  return names;
}

std::vector<std::string> catalogue() {
  std::vector<std::string> rows;
  for (const auto& [letter, count] : {std::pair('S', 15), {'P', 14}, {'N', 19}, {'H', 14}}) {
    for (int i = 1; i <= count; ++i) rows.push_back(letter + std::to_string(i));
  }
  for (const char* first : {"117", "150", "134", "917", "532", "59",  "22",   "276",  "403", "295",  "918",
                            "400", "674", "20",  "479", "248", "778", "1333", "1236", "426", "1188", "354"})
    rows.push_back(std::string("CWE-") + first);
  return rows;
}

TEST(FaultIndex, names_every_row_once_and_only_tests_that_exist) {
  std::set<std::string> existing;
  for (const char* folder : {"unit", "integration", "fault", "plugin"}) existing.merge(tests_in(tests / folder));
  existing.merge(figures());
  for (const auto& file : std::filesystem::directory_iterator(tests / "compile_fail"))
    existing.insert("compile_fail/" + file.path().filename().string());
  EXPECT_EQ(faults_of(text_of(tests / "fault" / "INDEX.tsv"), existing, catalogue()), std::vector<std::string>());
}

TEST(FaultIndex, has_a_row_for_every_suite_of_faults) {
  const std::string index = text_of(tests / "fault" / "INDEX.tsv");
  for (const std::string& test : tests_in(tests / "fault")) {
    const std::string suite = test.substr(0, test.find('.') + 1);
    if (suite != "FaultIndex.") {
      EXPECT_NE(index.find(suite), std::string::npos) << suite << " stands behind no row";
    }
  }
}

TEST(FaultIndex, tells_every_kind_of_mistake) {
  const std::set<std::string> existing{"A.b"};
  const std::vector<std::string> rows{"S1", "S2"};
  const auto faults = [&](const std::string& index) { return faults_of(index, existing, rows); };
  EXPECT_EQ(faults("# head\nS1\tA.b\treal\t\nS2\t\topen\tlater\n"), std::vector<std::string>());
  EXPECT_EQ(faults("S1\tA.b\treal\t\n"), std::vector<std::string>{"S2: not in the index"});
  EXPECT_EQ(faults("S1\tA.b\treal\t\nS2\t\topen\tx\nS2\t\topen\tx\n"), std::vector<std::string>{"S2: twice"});
  EXPECT_EQ(faults("S1\tA.b, A.c\treal\t\nS2\t\topen\tx\n"), std::vector<std::string>{"S1: there is no test A.c"});
  EXPECT_EQ(faults("S1\t\treal\t\nS2\tA.b\topen\tx\n"),
            (std::vector<std::string>{"S1: open and tested, or neither", "S2: open and tested, or neither"}));
  EXPECT_EQ(faults("S1\tA.b\tperhaps\t\nS2\t\topen\t\nX1\tA.b\tseam\t\n"),
            (std::vector<std::string>{"S1: neither real, seam nor open", "S2: open, and no word why",
                                      "X1: no row of the catalogue"}));
  EXPECT_EQ(faults("S1 A.b\nS2\t\topen\tx\n"),
            (std::vector<std::string>{"not four fields: S1 A.b", "S1: not in the index"}));
}

}  // namespace
