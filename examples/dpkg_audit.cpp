// The main job: audits this machine's package database as a program processes its input, and logs what it finds.
//
//   dpkg_audit [--status FILE] [--out FOLDER] [--allow FILE]     audit, then read the log back and compare
//   dpkg_audit --verify FOLDER                                   only read back and compare
//
// The console gets warnings and the summary, a rolling CLEF file everything. While it works the program keeps an
// account of its own in logged.jsonl: of each event all that it holds, from the program's data and by a JSON writer
// that is not Cairn's. At the end the log is read with that parser, and each event must be, in its place, the one that
// was logged: its time, template, level, exception and every property.
#include <cxxabi.h>

#include <algorithm>
#include <atomic>
#include <cairn/all.hpp>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

namespace {

namespace fs = std::filesystem;

// ---- the input

struct Paragraph {
  std::map<std::string, std::string, std::less<>> fields;
  std::size_t line = 0;

  [[nodiscard]] std::string_view get(std::string_view name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string_view() : std::string_view(found->second);
  }
};

class StatusError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

using Json = nlohmann::json;

bool is_utf8(const std::string& text) {
  try {
    (void)Json(text).dump();
    return true;
  } catch (const Json::exception&) {
    return false;
  }
}

std::vector<Paragraph> read_status(const fs::path& path) {
  std::ifstream in(path);
  if (!in || fs::is_directory(path)) throw StatusError("cannot read " + path.string() + ": is this a Debian?");
  std::vector<Paragraph> paragraphs;
  Paragraph current;
  std::string last;
  std::string line;
  std::size_t number = 0;
  const auto finish = [&] {
    if (!current.fields.empty()) paragraphs.push_back(std::move(current));
    current = {};
    last.clear();
  };
  while (std::getline(in, line)) {
    ++number;
    if (!is_utf8(line)) throw StatusError(path.string() + ":" + std::to_string(number) + ": bytes that are no UTF-8");
    if (line.empty()) {
      finish();
    } else if (line.front() == ' ' || line.front() == '\t') {
      if (last.empty())
        throw StatusError(path.string() + ":" + std::to_string(number) + ": a continuation line before any field");
      current.fields[last] += '\n' + line.substr(1);
    } else {
      const std::size_t colon = line.find(':');
      if (colon == std::string::npos)
        throw StatusError(path.string() + ":" + std::to_string(number) + ": expected `Field: value`, found `" + line +
                          "`");
      if (current.fields.empty()) current.line = number;
      last = line.substr(0, colon);
      std::size_t value = colon + 1;
      while (value < line.size() && line[value] == ' ') ++value;
      current.fields[last] = line.substr(value);
    }
  }
  finish();
  return paragraphs;
}

/// "libc6 (>= 2.34), foo | bar" gives libc6, foo, bar.
std::vector<std::string> dependency_names(std::string_view field) {
  std::vector<std::string> names;
  std::string name;
  bool in_brackets = false;
  for (const char c : field) {
    if (c == '(') in_brackets = true;
    if (c == ',' || c == '|') {
      if (!name.empty()) names.push_back(std::move(name));
      name.clear();
      in_brackets = false;
    } else if (!in_brackets && c != ' ' && c != '\n' && c != ')') {
      name += c;
    }
  }
  if (!name.empty()) names.push_back(std::move(name));
  for (std::string& n : names) n = n.substr(0, n.find(':'));
  return names;
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw std::invalid_argument("`" + std::string(text) + "` is no number");
  return value;
}

// ---- what is logged

struct Package {
  std::string Name;
  std::string Version;
  std::string Architecture;
  std::uint64_t InstalledKiB;
  std::optional<std::string> Source;
};

// ---- the program's own account of what it logged

Json json_of(const Package& package) {
  return {{"Name", package.Name},
          {"Version", package.Version},
          {"Architecture", package.Architecture},
          {"InstalledKiB", package.InstalledKiB},
          {"Source", package.Source ? Json(*package.Source) : Json()},
          {"$type", "Package"}};
}
Json json_of(const fs::path& path) { return path.string(); }
template <class T>
Json json_of(const T& value) {
  return value;
}

/// As CLEF has it.
std::string time_text(cairn::Timestamp time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  const std::time_t since_1970 = std::chrono::system_clock::to_time_t(second);
  std::tm utc{};
  gmtime_r(&since_1970, &utc);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S.", &utc);
  const std::string digits = std::to_string((time - second).count() / 100);
  return date + std::string(7 - digits.size(), '0') + digits + 'Z';
}

/// An exception and those nested in it: "type: what", the inner ones on lines of their own.
std::string exception_text(const std::exception& e) {
  int status = 0;
  char* const name = abi::__cxa_demangle(typeid(e).name(), nullptr, nullptr, &status);
  std::string text = status == 0 ? name : typeid(e).name();
  std::free(name);
  constexpr std::string_view nested = "std::_Nested_exception<";  // what std::throw_with_nested makes of it
  if (text.starts_with(nested)) text = text.substr(nested.size(), text.size() - nested.size() - 1);
  text += std::string(": ") + e.what();
  try {
    std::rethrow_if_nested(e);
  } catch (const std::exception& inner) {
    text += "\n ---> " + exception_text(inner);
  }
  return text;
}

/// Stands still while an event is logged, so that the program knows its time.
class ProgramClock final : public cairn::Clock {
 public:
  cairn::Timestamp now() noexcept override { return moment_; }
  std::chrono::nanoseconds steady() noexcept override { return std::chrono::steady_clock::now().time_since_epoch(); }
  cairn::Timestamp step() noexcept {
    return moment_ = std::max(moment_, cairn::Timestamp(std::chrono::system_clock::now()));
  }

 private:
  cairn::Timestamp moment_{};
};

/// Writes down each event that the program is about to log, whole.
class Account {
 public:
  Account(const fs::path& path, ProgramClock& clock) : out_(path, std::ios::binary), clock_(clock) {
    if (!out_) throw std::runtime_error("cannot write " + path.string());
  }
  /// What stands in every event from now on.
  void context(Json properties) { context_ = std::move(properties); }

  template <class... V>
  void note(cairn::Level level, std::string_view message_template, const V&... values) {
    write(event(level, message_template, {json_of(values)...}));
  }
  template <class... V>
  void note(const std::exception& e, cairn::Level level, std::string_view message_template, const V&... values) {
    Json noted = event(level, message_template, {json_of(values)...});
    const std::string text = exception_text(e);
    noted["@x"] = text;
    noted["ExceptionType"] = text.substr(0, text.find(": "));
    noted["ExceptionMessage"] = e.what();
    write(noted);
  }
  [[nodiscard]] std::uint64_t warnings() const { return warnings_; }

 private:
  /// The holes of the template take the values in their order. Of formats it knows the one that the program uses.
  [[nodiscard]] Json event(cairn::Level level, std::string_view text, const std::vector<Json>& values) {
    Json event = context_;
    event["@t"] = time_text(clock_.step());
    event["@mt"] = text;
    if (level != cairn::Level::information) event["@l"] = cairn::to_string(level);
    event["Sequence"] = ++count_;
    std::size_t next = 0;
    for (std::size_t from = text.find('{'); from != std::string_view::npos; from = text.find('{', from + 1)) {
      std::string_view hole = text.substr(from + 1, text.find('}', from) - from - 1);
      Json value = values.at(next++);
      if (const std::size_t colon = hole.find(':'); colon != std::string_view::npos) {
        if (hole.substr(colon) != ":.1f") throw std::logic_error("no such format is known here: " + std::string(hole));
        char digits[64];
        std::snprintf(digits, sizeof digits, "%.1f", value.get<double>());
        event["@r"].push_back(digits);
        hole = hole.substr(0, colon);
      }
      if (hole.starts_with('$')) value = value.dump();  // the string form
      if (hole.starts_with('$') || hole.starts_with('@')) hole.remove_prefix(1);
      event[std::string(hole)] = std::move(value);
    }
    if (next != values.size()) throw std::logic_error("more values than holes: " + std::string(text));
    warnings_ += level == cairn::Level::warning ? 1 : 0;
    return event;
  }
  void write(const Json& event) {
    if (!(out_ << event.dump() << '\n').flush()) throw std::runtime_error("the account of events cannot be written");
  }

  std::ofstream out_;
  ProgramClock& clock_;
  Json context_ = Json::object();
  std::uint64_t count_ = 0;
  std::uint64_t warnings_ = 0;
};

class Auditor {
 public:
  Auditor(cairn::Logger log, Account& account, const std::vector<Paragraph>& paragraphs)
      : log_(std::move(log)), account_(account), paragraphs_(paragraphs) {
    for (const Paragraph& p : paragraphs) {
      installed_.emplace(p.get("Package"));
      for (const std::string& provided : dependency_names(p.get("Provides"))) installed_.insert(provided);
    }
  }

  void run(const fs::path& allow) {
    allowed_ = read_allowed(allow);
    for (const Paragraph& p : paragraphs_) package(p);
    account_.context(Json::object());
  }

 private:
  /// Each template stands once in the program: it is noted and logged in one breath.
  template <class... A>
  void note(cairn::Level level, cairn::Template<A...> text, A&&... values) {
    account_.note(level, text.text(), values...);
    log_.write(level, text, std::forward<A>(values)...);
  }
  template <class... A>
  void note(const std::exception& e, cairn::Template<A...> text, A&&... values) {
    account_.note(e, cairn::Level::error, text.text(), values...);
    log_.error(e, text, std::forward<A>(values)...);
  }

  std::vector<std::string> read_allowed(const fs::path& path) {
    std::vector<std::string> names;
    try {
      try {
        std::ifstream in(path);
        if (!in) throw std::system_error(errno, std::generic_category(), path.string());
        for (std::string name; std::getline(in, name);) names.push_back(name);
      } catch (const std::exception&) {
        std::throw_with_nested(StatusError("no list of accepted findings"));
      }
    } catch (const std::exception& e) {
      note(e, "Every finding is reported: {Path} could not be read", path);
    }
    return names;
  }

  void package(const Paragraph& p) {
    const std::string name(p.get("Package"));
    const auto scope = cairn::LogContext::push_properties({{"Audited", name}, {"StatusLine", p.line}});
    account_.context({{"Audited", name}, {"StatusLine", p.line}});
    std::uint64_t size = 0;
    try {
      if (const auto text = p.get("Installed-Size"); !text.empty()) size = number(text);
    } catch (const std::exception& e) {
      note(e, "Installed-Size of {Name} cannot be used", name);
    }
    Package facts{name, std::string(p.get("Version")), std::string(p.get("Architecture")), size, std::nullopt};
    if (!p.get("Source").empty()) facts.Source = p.get("Source");
    const std::vector<std::string> depends = dependency_names(p.get("Depends"));
    note(cairn::Level::information, "Package {@Package} depends on {Dependencies}", facts, depends);
    if (std::find(allowed_.begin(), allowed_.end(), name) == allowed_.end()) odd(p, name, size, depends);
  }

  void odd(const Paragraph& p, const std::string& name, std::uint64_t size, const std::vector<std::string>& depends) {
    if (const auto status = p.get("Status"); status != "install ok installed") {
      note(cairn::Level::warning, "{Name} is not installed as it should be: {Status}", name, status);
    }
    if (p.get("Maintainer").empty()) note(cairn::Level::warning, "{Name} has no maintainer", name);
    if (size > 200 * 1024)
      note(cairn::Level::warning, "{Name} takes {SizeMiB:.1f} MiB", name, static_cast<double>(size) / 1024);
    std::vector<std::string> missing;
    for (const std::string& dependency : depends) {
      if (!installed_.contains(dependency)) missing.push_back(dependency);
    }
    if (!missing.empty())
      note(cairn::Level::debug, "{Name} names {Missing}, not installed (alternatives may be)", name, missing);
  }

  cairn::Logger log_;
  Account& account_;
  const std::vector<Paragraph>& paragraphs_;
  std::set<std::string, std::less<>> installed_;
  std::vector<std::string> allowed_;
};

// ---- reading back

std::vector<fs::path> log_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".clef") files.push_back(entry.path());
  }
  // dpkg-audit.clef is the first, dpkg-audit_001.clef the second, …: by length, then by name
  std::sort(files.begin(), files.end(), [](const fs::path& a, const fs::path& b) {
    const auto key = [](const fs::path& p) { return std::pair(p.stem().string().size(), p.stem().string()); };
    return key(a) < key(b);
  });
  return files;
}

/// Whether the JSON of a line has a blank outside its strings: a parser takes it, and no line was logged with one.
bool blank_between_tokens(std::string_view line) {
  bool in_string = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') in_string = !in_string;
    if (in_string && line[i] == '\\') ++i;
    if (!in_string && std::isspace(static_cast<unsigned char>(line[i])) != 0) return true;
  }
  return false;
}

/// The JSON of a line. A parser keeps the last of two equal names; here they are an error.
Json parse(const std::string& line) {
  std::vector<std::set<std::string>> names;  // of the objects that are open
  return Json::parse(line, [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) names.emplace_back();
    if (event == Json::parse_event_t::object_end) names.pop_back();
    if (event == Json::parse_event_t::key && !names.back().insert(parsed.get<std::string>()).second)
      throw std::runtime_error("the name " + parsed.dump() + " comes twice");
    return true;
  });
}

/// The events in some files, one after the other. Complains of a line that is no event, by its place.
class Events {
 public:
  explicit Events(std::vector<fs::path> files) : files_(std::move(files)) {}

  /// The next one; nothing after the last.
  std::optional<Json> next() {
    std::string line;
    while (!std::getline(in_, line)) {
      if (file_ == files_.size()) return std::nullopt;
      in_ = std::ifstream(files_[file_++], std::ios::binary);
      if (!in_) throw std::runtime_error("cannot read " + files_[file_ - 1].string());
      line_ = 0;
    }
    ++line_;
    if (in_.eof()) throw std::runtime_error(where() + "the line has no end");
    if (blank_between_tokens(line)) throw std::runtime_error(where() + "a blank where no event has one");
    try {
      return parse(line);
    } catch (const std::exception& e) {
      throw std::runtime_error(where() + e.what());
    }
  }
  [[nodiscard]] std::string where() const { return files_[file_ - 1].string() + ":" + std::to_string(line_) + ": "; }

 private:
  std::vector<fs::path> files_;
  std::size_t file_ = 0;
  std::ifstream in_{};
  std::size_t line_ = 0;
};

int verify(const fs::path& folder) {
  const std::vector<fs::path> files = log_files(folder);
  Events read(files);
  Events logged({folder / "logged.jsonl"});
  std::map<std::pair<std::string, std::string>, std::uint64_t> counts;  // by template and level
  std::uint64_t total = 0;
  std::uint64_t packages = 0;
  std::string time;
  while (const std::optional<Json> wanted = logged.next()) {
    const std::optional<Json> found = read.next();
    if (!found) throw std::runtime_error("the files end after " + std::to_string(total) + " events; more were logged");
    if (found->dump() != wanted->dump())  // as text: to a parser 1 is 1.0
      throw std::runtime_error(read.where() + "not what was logged, which was\n  " + wanted->dump() + "\nbut\n  " +
                               found->dump());
    const auto at = found->at("@t").get<std::string>();
    if (at < time) throw std::runtime_error(read.where() + "its time is before that of the event before it");
    time = at;
    ++counts[{found->at("@mt").get<std::string>(), found->value("@l", "Information")}];
    ++total;
    packages += found->contains("Package") ? 1 : 0;
  }
  if (read.next()) throw std::runtime_error(read.where() + "more events than were logged, " + std::to_string(total));
  if (total == 0) throw std::runtime_error("no event was logged: " + (folder / "logged.jsonl").string() + " is empty");

  std::printf("\n%-64s %-12s %8s\n", "template", "level", "events");
  for (const auto& [kind, count] : counts)
    std::printf("%-64.64s %-12s %8llu\n", kind.first.c_str(), kind.second.c_str(),
                static_cast<unsigned long long>(count));
  std::printf("%-64s %-12s %8llu\n", "all", "", static_cast<unsigned long long>(total));
  std::printf("\n%zu files, %llu packages:\n", files.size(), static_cast<unsigned long long>(packages));
  for (const fs::path& file : files) std::printf("  %s\n", file.c_str());
  if (files.size() < 3) {
    std::fprintf(stderr, "FAILED: %zu files, at least 3 were to be rolled\n", files.size());
    return 1;
  }
  std::printf("read back: every event is there as it was logged, once and in order\n");
  return 0;
}

int audit(const fs::path& status, const fs::path& out, const fs::path& allow) {
  fs::create_directories(out);
  for (const fs::path& old : log_files(out)) fs::remove(old);
  const std::vector<Paragraph> paragraphs = read_status(status);
  // Small files, so that even a bare machine rolls a few.
  const auto database_bytes = fs::file_size(status);
  ProgramClock clock;
  Account account(out / "logged.jsonl", clock);
  auto log =
      cairn::Configuration{}
          .use_clock(clock)
          .minimum_level(cairn::Level::debug)
          .enrich_with([sequence = std::make_shared<std::atomic<std::uint64_t>>(0)](cairn::EventBuilder& e) {
            e.add("Sequence", ++*sequence);
          })
          .write_to_console({.theme = cairn::Theme::literate})
          .with_filter(cairn::filters::level(cairn::Level::warning) || cairn::filters::has_property("Summary"))
          .write_to_file((out / "dpkg-audit.clef").string(),
                         {.max_file_bytes = std::max<std::uint64_t>(8192, database_bytes / 16), .retain_files = 0})
          .create_logger();
  cairn::set_logger(log);

  Auditor(log, account, paragraphs).run(allow);
  account.note(cairn::Level::information, "Audited {Packages} packages of {Path}: {Warnings} warnings {$Summary}",
               paragraphs.size(), status, account.warnings(), true);
  cairn::information("Audited {Packages} packages of {Path}: {Warnings} warnings {$Summary}", paragraphs.size(), status,
                     account.warnings(), true);
  cairn::close_and_flush();
  return verify(out);
}

}  // namespace

int main(int argc, char** argv) {
  fs::path status = "/var/lib/dpkg/status";
  fs::path out = "out/run";
  fs::path allow = "/etc/dpkg-audit.allow";
  try {
    for (int i = 1; i < argc; ++i) {
      const std::string_view option = argv[i];
      if (option == "--help") {
        std::puts(
            "dpkg_audit [--status FILE] [--out FOLDER] [--allow FILE]    audits, reads the log back and compares\n"
            "dpkg_audit --verify FOLDER                                  only reads back and compares");
        return 0;
      }
      if (i + 1 == argc)
        throw std::invalid_argument(
            std::string(option) +
            " takes a value; options: --status FILE, --out FOLDER, --allow FILE, --verify FOLDER");
      if (option == "--status")
        status = argv[++i];
      else if (option == "--out")
        out = argv[++i];
      else if (option == "--allow")
        allow = argv[++i];
      else if (option == "--verify")
        return verify(argv[++i]);
      else
        throw std::invalid_argument("unknown option " + std::string(option) +
                                    "; options: --status FILE, --out FOLDER, --allow FILE, --verify FOLDER");
    }
    return audit(status, out, allow);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "dpkg_audit: %s\n", e.what());
    return 1;
  }
}
