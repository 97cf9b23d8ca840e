// What a benchmark program reports: tables of figures, and rows that say what is required, what was measured and
// whether that meets it. Printed, and kept as JSON.
#pragma once

#include <sys/statfs.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace bench {

enum class Bound { none, at_most, at_least };

struct Row {
  std::string what;
  std::string unit;
  double measured = 0;
  Bound bound = Bound::none;
  double required = 0;
  std::string detail{};  // what the figure is made of

  [[nodiscard]] std::string_view verdict() const {
    if (bound == Bound::none) return "";
    return (bound == Bound::at_most ? measured <= required : measured >= required) ? "met" : "missed";
  }
};

struct Table {
  std::string title;
  std::vector<std::string> columns;
  std::vector<std::pair<std::string, std::vector<double>>> rows{};
};

inline std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

class Report {
 public:
  explicit Report(std::string program) : program_(std::move(program)) {
#ifdef __clang__
    fact("compiler", "clang " __clang_version__);
#else
    fact("compiler", "g++ " __VERSION__);
#endif
#if defined(NDEBUG) && defined(__OPTIMIZE__)
    fact("build", "optimised, NDEBUG (CMake's Release)");
#else
    fact("build", "NOT OPTIMISED OR WITH ASSERTIONS: these figures mean nothing");
#endif
    std::ifstream cpu("/proc/cpuinfo");
    for (std::string line; std::getline(cpu, line);) {
      if (!line.starts_with("model name")) continue;
      fact("cpu", line.substr(line.find(':') + 2));
      break;
    }
    fact("cores", std::to_string(std::thread::hardware_concurrency()));
    std::string load;
    std::getline(std::ifstream("/proc/loadavg"), load);
    fact("load before", load.substr(0, load.find(' ')));
  }

  /// What one has to know to read the figures.
  void fact(std::string name, std::string value) { facts_.emplace_back(std::move(name), std::move(value)); }
  void add(Row row) { rows_.push_back(std::move(row)); }
  void add(Table table) { tables_.push_back(std::move(table)); }

  void print() const {
    std::printf("%s\n", program_.c_str());
    for (const auto& [name, value] : facts_) std::printf("  %-22s %s\n", name.c_str(), value.c_str());
    for (const Table& table : tables_) {
      std::printf("\n%s\n  %-44s", table.title.c_str(), "");
      for (const std::string& column : table.columns) std::printf(" %12s", column.c_str());
      std::printf("\n");
      for (const auto& [name, values] : table.rows) {
        std::printf("  %-44s", name.c_str());
        for (const double value : values) std::printf(value < 1000 ? " %12.2f" : " %12.0f", value);
        std::printf("\n");
      }
    }
    std::printf("\n%-72s %12s %12s\n", "", "required", "measured");
    std::size_t missed = 0;
    for (const Row& row : rows_) {
      std::string required = "-";
      if (row.bound != Bound::none) {
        char text[32];
        std::snprintf(text, sizeof(text), "%s%.10g", row.bound == Bound::at_most ? "<= " : ">= ", row.required);
        required = text;
      }
      if (row.verdict() == "missed") ++missed;
      std::printf("%-72s %12s %12.3f %-8s %-7s %s\n", row.what.c_str(), required.c_str(), row.measured,
                  row.unit.c_str(), std::string(row.verdict()).c_str(), row.detail.c_str());
    }
    std::printf("\n%zu rows, %zu missed\n", rows_.size(), missed);
  }

  void write_json(const std::string& path) const {
    std::ofstream out(path);
    out << "{\n \"program\": " << json_text(program_) << ",\n \"facts\": {";
    for (std::size_t i = 0; i < facts_.size(); ++i)
      out << (i ? ",\n  " : "\n  ") << json_text(facts_[i].first) << ": " << json_text(facts_[i].second);
    out << "},\n \"tables\": [";
    for (std::size_t t = 0; t < tables_.size(); ++t) {
      out << (t ? ",\n  " : "\n  ") << "{\"title\": " << json_text(tables_[t].title) << ", \"columns\": [";
      for (std::size_t i = 0; i < tables_[t].columns.size(); ++i)
        out << (i ? ", " : "") << json_text(tables_[t].columns[i]);
      out << "], \"rows\": [";
      for (std::size_t i = 0; i < tables_[t].rows.size(); ++i) {
        out << (i ? ",\n    " : "\n    ") << "{\"name\": " << json_text(tables_[t].rows[i].first) << ", \"values\": [";
        for (std::size_t k = 0; k < tables_[t].rows[i].second.size(); ++k)
          out << (k ? ", " : "") << tables_[t].rows[i].second[k];
        out << "]}";
      }
      out << "]}";
    }
    out << "],\n \"rows\": [";
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const Row& row = rows_[i];
      out << (i ? ",\n  " : "\n  ") << "{\"what\": " << json_text(row.what) << ", \"unit\": " << json_text(row.unit)
          << ", \"measured\": " << row.measured;
      if (row.bound != Bound::none) {
        out << ", \"bound\": " << (row.bound == Bound::at_most ? "\"at most\"" : "\"at least\"")
            << ", \"required\": " << row.required << ", \"verdict\": " << json_text(row.verdict());
      }
      out << ", \"detail\": " << json_text(row.detail) << "}";
    }
    out << "]\n}\n";
  }

 private:
  std::string program_;
  std::vector<std::pair<std::string, std::string>> facts_;
  std::vector<Table> tables_;
  std::vector<Row> rows_;
};

/// A new directory that is removed at the end, on /dev/shm where there is one.
class Directory {
 public:
  explicit Directory(const std::string& parent = {}) {
    path_ = (!parent.empty()                       ? parent
             : std::filesystem::exists("/dev/shm") ? std::string("/dev/shm")
                                                   : std::filesystem::temp_directory_path().string()) +
            "/cairn-bench-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) {
      std::perror(path_.c_str());
      std::exit(2);
    }
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  [[nodiscard]] std::string file_system() const {
    struct statfs info {};
    if (::statfs(path_.c_str(), &info) != 0) return "unknown";
    return static_cast<unsigned long>(info.f_type) == 0x01021994UL ? "tmpfs" : "a disk";
  }

 private:
  std::string path_;
};

/// `--name VALUE` pairs, each used once; what is left is an error.
class Arguments {
 public:
  Arguments(int count, char** arguments) {
    for (int i = 1; i < count; ++i) texts_.emplace_back(arguments[i]);
  }
  [[nodiscard]] std::string text(std::string_view name, std::string otherwise = {}) {
    for (std::size_t i = 0; i + 1 < texts_.size(); ++i) {
      if (texts_[i] != name) continue;
      std::string value = texts_[i + 1];
      const auto at = texts_.begin() + static_cast<std::ptrdiff_t>(i);
      texts_.erase(at, at + 2);
      return value;
    }
    return otherwise;
  }
  [[nodiscard]] std::size_t number(std::string_view name, std::size_t otherwise) {
    const std::string value = text(name);
    return value.empty() ? otherwise : std::strtoull(value.c_str(), nullptr, 10);
  }
  void finish(std::string_view usage) const {
    if (texts_.empty()) return;
    std::fprintf(stderr, "not understood: %s\nusage: %s\n", texts_.front().c_str(), std::string(usage).c_str());
    std::exit(2);
  }

 private:
  std::vector<std::string> texts_;
};

}  // namespace bench
