// The main job: audits this machine's package database as a program processes its input, and logs what it finds.
//
//   dpkg_audit [--status FILE] [--out FOLDER] [--allow FILE]     audit, then read the log back and compare
//   dpkg_audit --verify FOLDER                                   only read back and compare
//
// The console gets warnings and the summary, a rolling CLEF file everything. At the end the files are read with a JSON
// parser that is not Cairn's, and what they hold must equal what the program counted while it worked: events by
// template and level, their order, and what each package's event says.
#include <algorithm>
#include <atomic>
#include <cairn/all.hpp>
#include <charconv>
#include <cstdint>
#include <cstdio>
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

std::vector<Paragraph> read_status(const fs::path& path) {
  std::ifstream in(path);
  if (!in) throw StatusError("cannot read " + path.string() + ": is this a Debian?");
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

/// What the program itself knows about the events it logged.
struct Tally {
  std::map<std::string, std::map<std::string, std::uint64_t>> events;  // template, level
  std::uint64_t total = 0;
  std::uint64_t packages = 0;
  std::uint64_t package_hash = 0;  // of all that is logged of each, whatever the order

  void count(std::string_view message_template, cairn::Level level) {
    ++events[std::string(message_template)][std::string(cairn::to_string(level))];
    ++total;
  }
  void package(const Package& facts, const std::vector<std::string>& depends) {
    std::uint64_t hash = 14695981039346656037ULL;
    const auto add = [&](std::string_view text) {
      for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
      hash = (hash ^ 0xFFU) * 1099511628211ULL;
    };
    add(facts.Name);
    add(facts.Version);
    add(facts.Architecture);
    add(std::to_string(facts.InstalledKiB));
    add(facts.Source ? "from " + *facts.Source : "");
    for (const std::string& name : depends) add(name);
    package_hash += hash;
    ++packages;
  }
  friend bool operator==(const Tally&, const Tally&) = default;
};

void to_json(nlohmann::json& json, const Tally& t) {
  json = {{"events", t.events}, {"total", t.total}, {"packages", t.packages}, {"package_hash", t.package_hash}};
}
void from_json(const nlohmann::json& json, Tally& t) {
  json.at("events").get_to(t.events);
  json.at("total").get_to(t.total);
  json.at("packages").get_to(t.packages);
  json.at("package_hash").get_to(t.package_hash);
}

constexpr const char package_template[] = "Package {@Package} depends on {Dependencies}";

class Auditor {
 public:
  Auditor(cairn::Logger log, const std::vector<Paragraph>& paragraphs) : log_(std::move(log)), paragraphs_(paragraphs) {
    for (const Paragraph& p : paragraphs) {
      installed_.emplace(p.get("Package"));
      for (const std::string& provided : dependency_names(p.get("Provides"))) installed_.insert(provided);
    }
  }

  Tally run(const fs::path& allow) {
    allowed_ = read_allowed(allow);
    for (const Paragraph& p : paragraphs_) package(p);
    return std::move(tally_);
  }

 private:
  /// Each template stands once in the program: it is logged and counted in one breath.
  template <class... A>
  void note(cairn::Level level, cairn::Template<A...> text, A&&... values) {
    log_.write(level, text, std::forward<A>(values)...);
    tally_.count(text.text(), level);
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
      log_.error(e, "Every finding is reported: {Path} could not be read", path);
      tally_.count("Every finding is reported: {Path} could not be read", cairn::Level::error);
    }
    return names;
  }

  void package(const Paragraph& p) {
    const std::string name(p.get("Package"));
    const auto scope = cairn::LogContext::push_properties({{"Audited", name}, {"StatusLine", p.line}});
    std::uint64_t size = 0;
    try {
      if (const auto text = p.get("Installed-Size"); !text.empty()) size = number(text);
    } catch (const std::exception& e) {
      log_.error(e, "Installed-Size of {Name} cannot be used", name);
      tally_.count("Installed-Size of {Name} cannot be used", cairn::Level::error);
    }
    Package facts{name, std::string(p.get("Version")), std::string(p.get("Architecture")), size, std::nullopt};
    if (!p.get("Source").empty()) facts.Source = p.get("Source");
    const std::vector<std::string> depends = dependency_names(p.get("Depends"));
    note(cairn::Level::information, package_template, facts, depends);
    tally_.package(facts, depends);
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
  const std::vector<Paragraph>& paragraphs_;
  std::set<std::string, std::less<>> installed_;
  std::vector<std::string> allowed_;
  Tally tally_;
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

Tally read_back(const std::vector<fs::path>& files) {
  Tally tally;
  std::uint64_t expected = 1;
  std::string time;
  for (const fs::path& path : files) {
    std::ifstream in(path);
    std::size_t line_number = 0;
    for (std::string line; std::getline(in, line);) {
      const std::string where = path.string() + ":" + std::to_string(++line_number) + ": ";
      nlohmann::json event;
      try {
        event = nlohmann::json::parse(line);
        const auto sequence = event.at("Sequence").get<std::uint64_t>();
        if (sequence != expected++)
          throw std::runtime_error("event " + std::to_string(sequence) + " stands where " +
                                   std::to_string(expected - 1) + " belongs");
        const auto at = event.at("@t").get<std::string>();
        if (at < time) throw std::runtime_error("its time is before that of the event before it");
        time = at;
        const std::string level = event.value("@l", "Information");
        const auto parsed = cairn::parse_level(level);
        if (!parsed) throw std::runtime_error("`" + level + "` is no level");
        tally.count(event.at("@mt").get<std::string>(), *parsed);
        if (event.contains("Package")) {
          const auto& package = event.at("Package");
          if (event.at("Audited") != package.at("Name"))
            throw std::runtime_error("its context is that of another package");
          if (package.at("$type") != "Package") throw std::runtime_error("its structure is of another type");
          std::optional<std::string> source;
          if (!package.at("Source").is_null()) source = package.at("Source").get<std::string>();
          tally.package({package.at("Name").get<std::string>(), package.at("Version").get<std::string>(),
                         package.at("Architecture").get<std::string>(), package.at("InstalledKiB").get<std::uint64_t>(),
                         std::move(source)},
                        event.at("Dependencies").get<std::vector<std::string>>());
        }
      } catch (const std::exception& e) {
        throw std::runtime_error(where + e.what());
      }
    }
  }
  return tally;
}

int verify(const fs::path& folder) {
  const std::vector<fs::path> files = log_files(folder);
  Tally counted;
  {
    std::ifstream in(folder / "counted.json");
    nlohmann::json::parse(in).get_to(counted);
  }
  const Tally found = read_back(files);
  std::printf("\n%-64s %-12s %8s %8s\n", "template", "level", "logged", "read");
  for (const auto& [text, levels] : counted.events) {
    for (const auto& [level, count] : levels) {
      std::uint64_t read = 0;
      if (const auto by_template = found.events.find(text); by_template != found.events.end()) {
        if (const auto by_level = by_template->second.find(level); by_level != by_template->second.end())
          read = by_level->second;
      }
      std::printf("%-64.64s %-12s %8llu %8llu%s\n", text.c_str(), level.c_str(), static_cast<unsigned long long>(count),
                  static_cast<unsigned long long>(read), read == count ? "" : "  <-- differs");
    }
  }
  std::printf("%-64s %-12s %8llu %8llu\n", "all", "", static_cast<unsigned long long>(counted.total),
              static_cast<unsigned long long>(found.total));
  std::printf("\n%zu files, %llu packages:\n", files.size(), static_cast<unsigned long long>(found.packages));
  for (const fs::path& file : files) std::printf("  %s\n", file.c_str());
  if (!(found == counted)) {
    std::fprintf(stderr, "FAILED: what the files hold is not what was logged\n");
    return 1;
  }
  if (files.size() < 3) {
    std::fprintf(stderr, "FAILED: %zu files, at least 3 were to be rolled\n", files.size());
    return 1;
  }
  std::printf("read back: every event is there, once and in order\n");
  return 0;
}

int audit(const fs::path& status, const fs::path& out, const fs::path& allow) {
  fs::create_directories(out);
  for (const fs::path& old : log_files(out)) fs::remove(old);
  const std::vector<Paragraph> paragraphs = read_status(status);
  // Small files, so that even a bare machine rolls a few.
  const auto database_bytes = fs::file_size(status);
  auto log =
      cairn::Configuration{}
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

  Auditor auditor(log, paragraphs);
  Tally tally = auditor.run(allow);
  std::uint64_t warnings = 0;
  for (const auto& [text, levels] : tally.events) {
    if (const auto found = levels.find("Warning"); found != levels.end()) warnings += found->second;
  }
  cairn::information("Audited {Packages} packages of {Path}: {Warnings} warnings {$Summary}", tally.packages, status,
                     warnings, true);
  tally.count("Audited {Packages} packages of {Path}: {Warnings} warnings {$Summary}", cairn::Level::information);
  cairn::close_and_flush();

  std::ofstream(out / "counted.json") << nlohmann::json(tally).dump(2) << '\n';
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
