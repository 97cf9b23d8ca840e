// One event to a file, on the thread that logs: Cairn's CLEF beside spdlog (JSON by pattern), glog and Boost.Log
// (text), the same four values each. All in one process, in rounds that take turns, so that what the machine does
// meanwhile befalls all alike; the claims are ratios of such rounds, never absolute figures.
//
//   bench_sync [--json FILE] [--rounds N] [--events N] [--dir DIRECTORY]
#include <fcntl.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "cairn/cairn.hpp"
#include "cairn/configuration.hpp"

#ifdef CAIRN_HAVE_SPDLOG
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>
#endif
#ifdef CAIRN_HAVE_GLOG
#include <glog/logging.h>
#endif
#ifdef CAIRN_HAVE_BOOST_LOG
#include <boost/log/core.hpp>
#include <boost/log/expressions.hpp>
#include <boost/log/sinks/sync_frontend.hpp>
#include <boost/log/sinks/text_file_backend.hpp>
#include <boost/log/sources/severity_logger.hpp>
#include <boost/log/support/date_time.hpp>
#include <boost/log/trivial.hpp>
#include <boost/log/utility/setup/common_attributes.hpp>
#endif

namespace {

using SteadyTime = std::chrono::steady_clock;

/// What every call logs: a string, two integers and a floating-point number, different each time.
struct Values {
  std::string user = "alice.anderson";
  int order = 0;
  std::int64_t bytes = 1'000'000;
  double milliseconds = 0.125;

  void next() noexcept {
    ++order;
    bytes += 4097;
    milliseconds = static_cast<double>(order % 100'000) / 1000;
  }
};

/// One way to log: `run(n)` makes n calls, `finish` hands over what is held back. A round is both: what is handed over
/// late is not free.
struct Candidate {
  std::string name;
  std::function<void(std::size_t)> run;
  std::function<void()> finish;
  std::vector<double> rounds{};  // ns a call
  std::vector<double> cpu{};     // the same of the thread's processor time, the kernel's work for it included
  double longest = 0;            // ns, of a single call

  [[nodiscard]] double median() const;
};

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 != 0 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double Candidate::median() const { return median_of(rounds); }

double nanoseconds_since(SteadyTime::time_point start) {
  return std::chrono::duration<double, std::nano>(SteadyTime::now() - start).count();
}

double cpu_nanoseconds() {
  struct timespec time {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

struct Options {
  std::size_t rounds = 101;
  std::size_t events = 4'000;  // few enough that most rounds are not interrupted where others use the machine too
  std::string json;
  std::string directory;
};

// ---- the candidates

/// A reference that the compiler cannot see through, so that nothing of a call is known before the loop.
template <class T>
T& opaque(T& value) {
  T* pointer = &value;
  asm volatile("" : "+r"(pointer) : : "memory");
  return *pointer;
}

Candidate cairn_file(const std::string& path, bool buffered) {
  auto log = std::make_shared<cairn::Logger>(
      cairn::Configuration{}.write_to_file(path, {.max_file_bytes = 0, .buffered = buffered}).create_logger());
  auto values = std::make_shared<Values>();
  return {"cairn",
          [=](std::size_t count) {
            for (std::size_t i = 0; i < count; ++i) {
              log->information("User {User} placed order {Order} of {Bytes} bytes in {Elapsed} ms", values->user,
                               values->order, values->bytes, values->milliseconds);
              values->next();
            }
          },
          [=] { (void)log->flush(); }};
}

/// The floor of the second table: the same line, made before, and nothing but the system call.
constexpr std::string_view bare_write_name = "write(2) of Cairn's line";
Candidate bare_write(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const auto line = std::make_shared<std::string>(
      R"({"@t":"2026-01-31T17:05:09.1234567Z","@mt":"User {User} placed order {Order} of {Bytes} bytes in {Elapsed} ms",)"
      R"("User":"alice.anderson","Order":4711,"Bytes":20296967,"Elapsed":4.711})"
      "\n");
  return {std::string(bare_write_name),
          [=](std::size_t count) {
            for (std::size_t i = 0; i < count; ++i) {
              if (::write(file, line->data(), line->size()) < 0) std::abort();
            }
          },
          [] {}};
}

#ifdef CAIRN_HAVE_SPDLOG
Candidate spdlog_file(const std::string& path, bool buffered) {
  auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path, true);
  auto log = std::make_shared<spdlog::logger>(path, std::move(sink));
  log->set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%f","level":"%l","message":"%v"})");
  log->flush_on(buffered ? spdlog::level::off : spdlog::level::trace);
  auto values = std::make_shared<Values>();
  return {"spdlog",
          [=](std::size_t count) {
            for (std::size_t i = 0; i < count; ++i) {
              log->info("User {} placed order {} of {} bytes in {} ms", values->user, values->order, values->bytes,
                        values->milliseconds);
              values->next();
            }
          },
          [=] { log->flush(); }};
}
#endif

#ifdef CAIRN_HAVE_GLOG
/// glog has one log for the process: whether it buffers is set before each round.
Candidate glog_file(bool buffered) {
  auto values = std::make_shared<Values>();
  return {"glog",
          [=](std::size_t count) {
            FLAGS_logbuflevel = buffered ? google::GLOG_INFO : -1;
            FLAGS_logbufsecs = buffered ? 30 : 0;
            for (std::size_t i = 0; i < count; ++i) {
              LOG(INFO) << "User " << values->user << " placed order " << values->order << " of " << values->bytes
                        << " bytes in " << values->milliseconds << " ms";
              values->next();
            }
          },
          [] { google::FlushLogFiles(google::GLOG_INFO); }};
}
#endif

#ifdef CAIRN_HAVE_BOOST_LOG
namespace logging = boost::log;
Candidate boost_file(const std::string& path, bool buffered) {
  using Sink = logging::sinks::synchronous_sink<logging::sinks::text_file_backend>;
  auto backend = boost::make_shared<logging::sinks::text_file_backend>(logging::keywords::file_name = path,
                                                                       logging::keywords::auto_flush = !buffered);
  auto sink = boost::make_shared<Sink>(backend);
  namespace expr = logging::expressions;
  sink->set_formatter(
      expr::stream << expr::format_date_time<boost::posix_time::ptime>("TimeStamp", "%Y-%m-%d %H:%M:%S.%f") << " ["
                   << logging::trivial::severity << "] " << expr::smessage);
  auto values = std::make_shared<Values>();
  auto source = std::make_shared<logging::sources::severity_logger_mt<logging::trivial::severity_level>>();
  return {
      "boost.log",
      [=](std::size_t count) {
        logging::core::get()->add_sink(sink);  // the core is one for the process: only the sink of this round is in it
        for (std::size_t i = 0; i < count; ++i) {
          BOOST_LOG_SEV(*source, logging::trivial::info)
              << "User " << values->user << " placed order " << values->order << " of " << values->bytes << " bytes in "
              << values->milliseconds << " ms";
          values->next();
        }
        logging::core::get()->remove_sink(sink);
      },
      [=] { sink->flush(); }};
}
#endif

// ---- measuring

void measure(std::vector<Candidate>& candidates, const Options& options) {
  for (Candidate& each : candidates) {  // files, caches and buffers as they are after a while
    each.run(options.events / 4 + 1);
    each.finish();
  }
  for (std::size_t round = 0; round < options.rounds; ++round) {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      // every other round backwards: nobody always follows the same neighbour
      Candidate& each = candidates[round % 2 == 0 ? i : candidates.size() - 1 - i];
      const double cpu_before = cpu_nanoseconds();
      const auto start = SteadyTime::now();
      each.run(options.events);
      each.finish();
      each.rounds.push_back(nanoseconds_since(start) / static_cast<double>(options.events));
      each.cpu.push_back((cpu_nanoseconds() - cpu_before) / static_cast<double>(options.events));
    }
  }
  for (Candidate& each : candidates) {
    for (std::size_t i = 0; i < options.events; ++i) {
      const auto start = SteadyTime::now();
      each.run(1);
      each.longest = std::max(each.longest, nanoseconds_since(start));
    }
    each.finish();
  }
}

double median_of_ratios(const Candidate& a, const Candidate& b) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < a.rounds.size(); ++i) ratios.push_back(a.rounds[i] / b.rounds[i]);
  return median_of(std::move(ratios));
}

/// ns a call with the level off. The loop itself is within the figure. The logger is read afresh each time, so that no
/// test leaves the loop.
template <class Call>
Candidate disabled(std::string name, const cairn::Logger& logger, Call call, const Options& options) {
  Candidate result{std::move(name), {}, {}};
  const std::size_t calls = options.events * 200;
  for (std::size_t round = 0; round < options.rounds; ++round) {
    Values values;
    const auto start = SteadyTime::now();
    for (std::size_t i = 0; i < calls; ++i) {
      asm volatile("" : : : "memory");
      call(logger, values);
    }
    result.rounds.push_back(nanoseconds_since(start) / static_cast<double>(calls));
  }
  return result;
}

// ---- the report

struct Row {
  std::string what;
  std::string unit;
  double required = 0;  // at most; 0: nothing is asked
  double measured = 0;
  double pairwise = 0;  // the median of the rounds' ratios, where it is a ratio
  double cpu = 0;       // the ratio of processor time, which what else runs on the machine disturbs less

  [[nodiscard]] bool met() const { return required == 0 || measured <= required; }
};

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

std::string file_system(const std::string& path) {
  struct statfs info {};
  if (::statfs(path.c_str(), &info) != 0) return "unknown";
  switch (static_cast<unsigned long>(info.f_type)) {
    case 0x01021994: return "tmpfs";
    case 0xEF53: return "ext4";
    case 0x58465342: return "xfs";
    case 0x9123683E: return "btrfs";
    case 0x794c7630: return "overlayfs";
    default: return "another file system";
  }
}

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

std::string build_flags() {
#if defined(NDEBUG) && defined(__OPTIMIZE__)
  return "optimised, NDEBUG (CMake's Release)";
#elif defined(__OPTIMIZE__)
  return "optimised";
#else
  return "NOT OPTIMISED: these figures mean nothing";
#endif
}

struct Table {
  std::string title;
  std::vector<Candidate> candidates;
};

void print(const std::vector<Table>& tables, const std::vector<Row>& rows) {
  for (const Table& table : tables) {
    std::printf("\n%s\n  %-26s %10s %10s %10s %12s\n", table.title.c_str(), "", "median ns", "fastest", "slowest",
                "longest call");
    for (const Candidate& each : table.candidates) {
      const auto [least, most] = std::minmax_element(each.rounds.begin(), each.rounds.end());
      std::printf("  %-26s %10.2f %10.2f %10.2f", each.name.c_str(), each.median(), *least, *most);
      each.longest > 0 ? std::printf(" %9.1f us\n", each.longest / 1000) : std::printf(" %12s\n", "-");
    }
  }
  std::printf("\n%-52s %10s %10s %10s %10s\n", "", "required", "measured", "pairwise", "cpu time");
  for (const Row& row : rows) {
    std::printf("%-52s ", row.what.c_str());
    row.required > 0 ? std::printf("%10.2f ", row.required) : std::printf("%10s ", "-");
    std::printf("%10.3f ", row.measured);
    row.pairwise > 0 ? std::printf("%10.3f", row.pairwise) : std::printf("%10s", "-");
    row.cpu > 0 ? std::printf(" %10.3f", row.cpu) : std::printf(" %10s", "-");
    std::printf("  %-6s %s\n", row.unit.c_str(), row.required == 0 ? "" : row.met() ? "met" : "MISSED");
  }
}

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

void write_json(const std::string& path, const Options& options, const std::string& directory,
                const std::vector<Table>& tables, const std::vector<Row>& rows) {
  std::ofstream out(path);
  out << "{\n  \"program\": \"sync: the cost of a synchronous call\",\n  \"facts\": {\"cpu\": "
      << json_text(cpu_model()) << ", \"cores\": \"" << std::thread::hardware_concurrency()
      << "\", \"compiler\": " << json_text(compiler()) << ", \"flags\": " << json_text(build_flags())
      << ", \"file_system\": " << json_text(file_system(directory)) << ", \"rounds\": \"" << options.rounds << " of "
      << options.events << " events\"},\n  \"tables\": [";
  for (std::size_t t = 0; t < tables.size(); ++t) {
    out << (t == 0 ? "\n" : ",\n") << "    {\"title\": " << json_text(tables[t].title) << ", \"candidates\": [";
    for (std::size_t i = 0; i < tables[t].candidates.size(); ++i) {
      const Candidate& each = tables[t].candidates[i];
      out << (i == 0 ? "\n" : ",\n") << "      {\"name\": " << json_text(each.name)
          << ", \"median_ns\": " << each.median() << ", \"longest_ns\": " << each.longest << ", \"rounds_ns\": [";
      for (std::size_t r = 0; r < each.rounds.size(); ++r) out << (r == 0 ? "" : ", ") << each.rounds[r];
      out << "]}";
    }
    out << "]}";
  }
  out << "],\n  \"rows\": [";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    out << (i == 0 ? "\n" : ",\n") << "    {\"what\": " << json_text(row.what) << ", \"unit\": " << json_text(row.unit);
    if (row.required > 0)
      out << ", \"bound\": \"at most\", \"required\": " << row.required << ", \"verdict\": \""
          << (row.met() ? "met" : "missed") << '"';
    out << ", \"measured\": " << row.measured;
    if (row.pairwise > 0) out << ", \"pairwise\": " << row.pairwise << ", \"cpu_ratio\": " << row.cpu;
    out << "}";
  }
  out << "]\n}\n";
}

const Candidate* find(const std::vector<Candidate>& candidates, std::string_view name) {
  for (const Candidate& each : candidates) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

bool read_options(int count, char** arguments, Options& options) {
  for (int i = 1; i < count; ++i) {
    const std::string_view name = arguments[i];
    if (i + 1 == count) return false;
    const char* const value = arguments[++i];
    if (name == "--json") {
      options.json = value;
    } else if (name == "--rounds") {
      options.rounds = std::max(5UL, std::strtoul(value, nullptr, 10));
    } else if (name == "--events") {
      options.events = std::max(1UL, std::strtoul(value, nullptr, 10));
    } else if (name == "--dir") {
      options.directory = value;
    } else {
      return false;
    }
  }
  return true;
}

std::string make_directory(const std::string& wanted) {
  std::error_code ignored;
  const std::string parent = !wanted.empty() ? wanted
                             : std::filesystem::is_directory("/dev/shm", ignored)
                                 ? "/dev/shm"
                                 : std::filesystem::temp_directory_path().string();
  std::string pattern = parent + "/cairn-bench-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) {
    std::perror(parent.c_str());
    std::exit(2);
  }
  return pattern;
}

Table file_table(const std::string& directory, bool buffered, const Options& options) {
  const std::string kind = buffered ? "buffered" : "direct";
  Table table{buffered ? "one event to a file, buffered" : "one event to a file, each handed to the kernel", {}};
  table.candidates.push_back(cairn_file(directory + "/cairn-" + kind + ".clef", buffered));
#ifdef CAIRN_HAVE_SPDLOG
  table.candidates.push_back(spdlog_file(directory + "/spdlog-" + kind + ".json", buffered));
#endif
#ifdef CAIRN_HAVE_GLOG
  table.candidates.push_back(glog_file(buffered));
#endif
#ifdef CAIRN_HAVE_BOOST_LOG
  table.candidates.push_back(boost_file(directory + "/boost-" + kind + ".log", buffered));
#endif
  if (!buffered) table.candidates.push_back(bare_write(directory + "/bare"));
  measure(table.candidates, options);
  return table;
}

int run(const Options& options, const std::string& directory) {
  std::printf("%s, %u cores; %s, %s; files on %s; %zu rounds of %zu events, interleaved\n", cpu_model().c_str(),
              std::thread::hardware_concurrency(), compiler().c_str(), build_flags().c_str(),
              file_system(directory).c_str(), options.rounds, options.events);
#ifdef CAIRN_HAVE_GLOG
  FLAGS_log_dir = directory;
  FLAGS_logtostderr = false;
  FLAGS_stderrthreshold = google::GLOG_FATAL;
  FLAGS_max_log_size = 4000;
  google::InitGoogleLogging("bench_sync");
#endif
#ifdef CAIRN_HAVE_BOOST_LOG
  logging::add_common_attributes();
#endif
  std::vector<Table> tables;
  std::vector<Row> rows;
  for (const bool buffered : {true, false}) {
    tables.push_back(file_table(directory, buffered, options));
    const std::vector<Candidate>& candidates = tables.back().candidates;
    for (const std::string_view peer : {"spdlog", "glog", "boost.log"}) {
      const Candidate* other = find(candidates, peer);
      if (other == nullptr) continue;
      Row row{std::string(buffered ? "buffered" : "each to the kernel") + ": Cairn / " + std::string(peer), "ratio"};
      if (peer == "spdlog") row.required = buffered ? 0.5 : 0.7;
      row.measured = candidates.front().median() / other->median();
      row.pairwise = median_of_ratios(candidates.front(), *other);
      row.cpu = median_of(candidates.front().cpu) / median_of(other->cpu);
      rows.push_back(std::move(row));
    }
    if (const Candidate* const floor = find(candidates, bare_write_name); floor != nullptr) {
      rows.push_back({"each to the kernel: Cairn / write(2) alone", "ratio", 0,
                      candidates.front().median() / floor->median(), median_of_ratios(candidates.front(), *floor),
                      median_of(candidates.front().cpu) / median_of(floor->cpu)});
      if (const Candidate* const spdlog = find(candidates, "spdlog"); spdlog != nullptr) {
        rows.push_back({"each to the kernel: write(2) alone / spdlog", "ratio", 0, floor->median() / spdlog->median(),
                        median_of_ratios(*floor, *spdlog), median_of(floor->cpu) / median_of(spdlog->cpu)});
      }
    }
    rows.push_back({std::string(buffered ? "buffered" : "each to the kernel") + ": Cairn's longest single call", "us",
                    0, candidates.front().longest / 1000});
  }

  cairn::Logger quiet = cairn::Configuration{}.warning().write_to_null().create_logger();
  const cairn::Logger& logger = opaque(quiet);
  Table off{"a level that is off", {}};
  off.candidates.push_back(disabled(
      "function", logger,
      [](const cairn::Logger& log, const Values& v) {
        log.information("User {User} placed order {Order} of {Bytes} bytes in {Elapsed} ms", v.user, v.order, v.bytes,
                        v.milliseconds);
      },
      options));
  off.candidates.push_back(disabled(
      "macro", logger,
      [](const cairn::Logger& log, const Values& v) {
        CAIRN_INFORMATION(log, "User {User} placed order {Order} of {Bytes} bytes in {Elapsed} ms", v.user, v.order,
                          v.bytes, v.milliseconds);
      },
      options));
  for (const Candidate& each : off.candidates)
    rows.push_back({"a level that is off: " + each.name, "ns", 1.0, each.median()});
  tables.push_back(std::move(off));

  print(tables, rows);
  if (!options.json.empty()) write_json(options.json, options, directory, tables, rows);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  if (!read_options(count, arguments, options)) {
    std::fprintf(stderr, "usage: bench_sync [--json FILE] [--rounds N] [--events N] [--dir DIRECTORY]\n");
    return 2;
  }
  const std::string directory = make_directory(options.directory);
  const int result = run(options, directory);
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  return result;
}
