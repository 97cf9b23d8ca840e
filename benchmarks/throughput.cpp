// How many events a second go from one producer through a queue into a file, and what a queue does for its caller.
//
//   bench_throughput [--json FILE] [--group GROUP] [--rounds N] [--events N] [--dir DIRECTORY]
//
// Groups: file slow sync; all of them when none is named.
//
// `file`: each candidate runs in a process of its own, in turn with the others; measured is the time from the first
// call until everything has been handed to the kernel. Of Cairn's files all lines are counted, and a thousand of them
// parsed (CLEF) or compared (text). The floor is one thread that formats the same line by hand and writes 256 KiB at a
// time. Producer on core 0, what delivers on core 1.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cairn/cairn.hpp"
#include "cairn/configuration.hpp"
#include "support/measure.hpp"
#include "support/report.hpp"

#ifdef CAIRN_HAVE_NLOHMANN_JSON
#include <nlohmann/json.hpp>
#endif
#ifdef CAIRN_HAVE_QUILL
#include <quill/Backend.h>
#include <quill/Frontend.h>
#include <quill/LogMacros.h>
#include <quill/Logger.h>
#include <quill/sinks/FileSink.h>
#include <quill/sinks/JsonSink.h>
#endif
#ifdef CAIRN_HAVE_SPDLOG
#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>
#endif

namespace {

using namespace bench;

struct Options {
  std::size_t rounds = 5;
  std::size_t events = 4'000'000;
  std::string group;
};

// ---- one candidate, in a process of its own: gives the seconds it took

using OneRun = double (*)(const std::string& path, std::size_t events);

template <class Work>
double seconds_of(Work work) {
  const auto start = SteadyTime::now();
  work();
  return std::chrono::duration<double>(SteadyTime::now() - start).count();
}

double cairn_run(const std::string& path, std::size_t events) {
  pin(1);
  const cairn::Logger log =
      cairn::Configuration{}
          .write_to_file(path, {.max_file_bytes = 0, .buffered = true})
          .with_queue({.overflow = cairn::Overflow::block, .block_timeout = std::chrono::seconds(60)})
          .create_logger();
  log.information("Begins");  // starts the threads, on core 1
  (void)log.flush();
  pin(0);
  const double seconds = seconds_of([&] {
    for (std::size_t i = 0; i < events; ++i) {
      CAIRN_INFORMATION(log, "Iteration: {Iteration} int: {Int} double: {Double}", i, static_cast<int>(i * 2),
                        static_cast<double>(i) / 2);
    }
    (void)log.flush(std::chrono::seconds(60));
  });
  const auto metrics = log.metrics();
  if (metrics.logger.dropped_total() + metrics.sinks.front().dropped_total() + metrics.sinks.front().failed_total() +
          metrics.logger.rejected.size() !=
      0) {
    std::fprintf(stderr, "%s\n", "events were lost");
    std::exit(1);
  }
  return seconds;
}

/// What a formatter cannot do without: digits, names and one copy. The time as it stands in a CLEF line, the date
/// cached.
class FloorWriter {
 public:
  explicit FloorWriter(const std::string& path)
      : file_(::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0640)), buffer_(size_ + 1024) {}
  FloorWriter(const FloorWriter&) = delete;
  FloorWriter& operator=(const FloorWriter&) = delete;
  ~FloorWriter() { ::close(file_); }

  void text(std::string_view text) {
    std::memcpy(buffer_.data() + used_, text.data(), text.size());
    used_ += text.size();
  }
  template <class T>
  void number(T value) {
    char* const at = buffer_.data() + used_;
    used_ = static_cast<std::size_t>(std::to_chars(at, at + 40, value).ptr - buffer_.data());
  }
  void time(char between) {
    struct timespec now {};
    ::clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != second_) {
      second_ = now.tv_sec;
      struct tm parts {};
      ::gmtime_r(&second_, &parts);
      std::strftime(cached_, sizeof(cached_), "%Y-%m-%d %H:%M:%S.", &parts);
      cached_[10] = between;
    }
    text({cached_, 20});
    char* const at = buffer_.data() + used_;
    auto rest = static_cast<unsigned long>(now.tv_nsec / 100);
    for (int i = 6; i >= 0; --i, rest /= 10) at[i] = static_cast<char>('0' + rest % 10);
    used_ += 7;
  }
  void end_line() {
    buffer_[used_++] = '\n';
    if (used_ >= size_) write_all();
  }
  void write_all() {
    if (::write(file_, buffer_.data(), used_) != static_cast<ssize_t>(used_)) std::abort();
    used_ = 0;
  }

 private:
  static constexpr std::size_t size_ = std::size_t{256} << 10;
  int file_;
  std::vector<char> buffer_;
  std::size_t used_ = 0;
  std::time_t second_ = 0;
  char cached_[32]{};
};

double floor_clef(const std::string& path, std::size_t events) {
  pin(0);
  FloorWriter out(path);
  return seconds_of([&] {
    for (std::size_t i = 0; i < events; ++i) {
      out.text(R"({"@t":")");
      out.time('T');
      out.text(R"(Z","@mt":"Iteration: {Iteration} int: {Int} double: {Double}","Iteration":)");
      out.number(i);
      out.text(R"(,"Int":)");
      out.number(static_cast<int>(i * 2));
      out.text(R"(,"Double":)");
      out.number(static_cast<double>(i) / 2);
      out.text("}");
      out.end_line();
    }
    out.write_all();
  });
}

double floor_text(const std::string& path, std::size_t events) {
  pin(0);
  FloorWriter out(path);
  return seconds_of([&] {
    for (std::size_t i = 0; i < events; ++i) {
      out.time(' ');
      out.text(" +00:00 [INF] Iteration: ");
      out.number(i);
      out.text(" int: ");
      out.number(static_cast<int>(i * 2));
      out.text(" double: ");
      out.number(static_cast<double>(i) / 2);
      out.end_line();
    }
    out.write_all();
  });
}

#ifdef CAIRN_HAVE_QUILL
/// Its frontend as it comes (unbounded, lossless), its backend as in its own benchmark of throughput: it never sleeps.
template <class Work>
double quill_run(quill::Logger* log, Work work) {
  LOG_INFO(log, "Begins");
  log->flush_log(0);
  pin(0);
  return seconds_of([&] {
    work();
    log->flush_log(0);
  });
}
void start_quill() {
  quill::BackendOptions options;
  options.cpu_affinity = {1};
  options.sleep_duration = std::chrono::nanoseconds(0);
  options.log_timestamp_ordering_grace_period = std::chrono::microseconds(1);
  options.error_notifier = [](const std::string&) {};  // it tells of each larger queue
  quill::Backend::start(options);
}
quill::FileSinkConfig quill_file() {
  quill::FileSinkConfig config;
  config.set_open_mode('w');
  return config;
}
double quill_text(const std::string& path, std::size_t events) {
  start_quill();
  quill::Logger* const log = quill::Frontend::create_or_get_logger(
      "text", quill::Frontend::create_or_get_sink<quill::FileSink>(path, quill_file()),
      quill::PatternFormatterOptions{"%(time) [%(thread_id)] %(short_source_location) %(log_level) %(message)",
                                     "%H:%M:%S.%Qns", quill::Timezone::GmtTime, false});
  return quill_run(log, [=] {
    for (std::size_t i = 0; i < events; ++i)
      LOG_INFO(log, "Iteration: {} int: {} double: {}", i, static_cast<int>(i * 2), static_cast<double>(i) / 2);
  });
}
double quill_json(const std::string& path, std::size_t events) {
  start_quill();
  quill::Logger* const log = quill::Frontend::create_or_get_logger(
      "json", quill::Frontend::create_or_get_sink<quill::JsonFileSink>(path, quill_file()),
      quill::PatternFormatterOptions{"", "%H:%M:%S.%Qns", quill::Timezone::GmtTime});
  return quill_run(log, [=] {
    for (std::size_t i = 0; i < events; ++i)
      LOG_INFO(log, "Iteration: {Iteration} int: {Int} double: {Double}", i, static_cast<int>(i * 2),
               static_cast<double>(i) / 2);
  });
}
#endif
#ifdef CAIRN_HAVE_SPDLOG
double spdlog_text(const std::string& path, std::size_t events) {
  auto pool = std::make_shared<spdlog::details::thread_pool>(8192, 1, [] { pin(1); });
  auto log =
      std::make_shared<spdlog::async_logger>("text", std::make_shared<spdlog::sinks::basic_file_sink_mt>(path, true),
                                             pool, spdlog::async_overflow_policy::block);
  pin(0);
  return seconds_of([&] {
    for (std::size_t i = 0; i < events; ++i)
      log->info("Iteration: {} int: {} double: {}", i, static_cast<int>(i * 2), static_cast<double>(i) / 2);
    log->flush();
    log.reset();
    pool.reset();  // waits for its thread
  });
}
#endif

struct FileCandidate {
  std::string_view name;
  std::string_view file;
  OneRun run;
};
constexpr FileCandidate file_candidates[] = {
    {"floor, CLEF", "floor.clef", floor_clef},         {"floor, text", "floor.log", floor_text},
    {"Cairn, CLEF", "cairn.clef", cairn_run},          {"Cairn, text", "cairn.log", cairn_run},
#ifdef CAIRN_HAVE_QUILL
    {"Quill, JSON", "quill.json", quill_json},         {"Quill, text", "quill.log", quill_text},
#endif
#ifdef CAIRN_HAVE_SPDLOG
    {"spdlog async, text", "spdlog.log", spdlog_text},
#endif
};

/// In a child, so that the threads and memory of one never meet those of another.
std::optional<double> run_apart(const FileCandidate& candidate, const std::string& path, std::size_t events) {
  int ends[2];
  if (::pipe(ends) != 0) return std::nullopt;
  const pid_t child = ::fork();
  if (child == 0) {
    const double seconds = candidate.run(path, events);
    if (::write(ends[1], &seconds, sizeof(seconds)) != sizeof(seconds)) std::_Exit(1);
    std::_Exit(0);
  }
  ::close(ends[1]);
  double seconds = 0;
  const bool whole = ::read(ends[0], &seconds, sizeof(seconds)) == sizeof(seconds);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!whole || status != 0) return std::nullopt;
  return seconds;
}

/// One line in so many is looked at: a thousand of all.
std::size_t lines_to_a_check(std::size_t events) { return std::max<std::size_t>(1, events / 1000); }

/// The number of lines that are events of ours; -1 when one of those looked at is wrong.
double count_lines(const std::string& path, bool clef, std::size_t events) {
  std::ifstream in(path);
  std::size_t lines = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.find("Begins") != std::string::npos) continue;
    const std::size_t i = lines++;
    if (i % lines_to_a_check(events) != 0) continue;
    if (clef) {
#ifdef CAIRN_HAVE_NLOHMANN_JSON
      const auto event = nlohmann::json::parse(line, nullptr, false);
      const bool right = event.is_object() && event["Iteration"].is_number_unsigned() && event["Iteration"] == i &&
                         event["Int"].is_number_integer() && event["Int"] == i * 2 && event["Double"].is_number() &&
                         event["Double"] == static_cast<double>(i) / 2 && event["@t"].is_string();
      if (!right) return -1;
#endif
    } else if (line.find("Iteration: " + std::to_string(i) + " int: " + std::to_string(i * 2) + " double: ") ==
               std::string::npos) {
      return -1;
    }
  }
  return static_cast<double>(lines);
}

void file(Report& report, const Options& options, const Directory& directory) {
  constexpr std::size_t count = std::size(file_candidates);
  std::vector<std::vector<double>> rates(count);  // million events a second
  double lines[count];
  std::fill_n(lines, count, 1e18);
  for (std::size_t round = 0; round < options.rounds; ++round) {
    for (std::size_t k = 0; k < count; ++k) {
      const std::size_t i = round % 2 == 0 ? k : count - 1 - k;
      const std::string path = directory.file(file_candidates[i].file);
      const auto seconds = run_apart(file_candidates[i], path, options.events);
      if (!seconds) {
        std::fprintf(stderr, "%s failed\n", std::string(file_candidates[i].name).c_str());
        lines[i] = -1;
        rates[i].push_back(0);
      } else {
        rates[i].push_back(static_cast<double>(options.events) / *seconds / 1e6);
        if (file_candidates[i].run == cairn_run)
          lines[i] = std::min(lines[i], count_lines(path, path.ends_with(".clef"), options.events));
      }
      std::error_code ignored;
      std::filesystem::remove(path, ignored);
    }
  }
  Table table{"one producer to a file, million events a second", {"median", "least", "most", "ns an event"}};
  const auto of = [&](std::string_view name) -> const std::vector<double>* {
    for (std::size_t i = 0; i < count; ++i)
      if (file_candidates[i].name == name) return &rates[i];
    return nullptr;
  };
  for (std::size_t i = 0; i < count; ++i) {
    const auto [least, most] = std::minmax_element(rates[i].begin(), rates[i].end());
    const double middle = median(rates[i]);
    table.rows.emplace_back(file_candidates[i].name, std::vector<double>{middle, *least, *most, 1000 / middle});
  }
  report.add(std::move(table));
  const auto row = [&](const std::string& what, std::string_view mine, std::string_view other, double required) {
    const auto* peer = of(other);
    if (peer == nullptr) return;
    char detail[64];
    std::snprintf(detail, sizeof(detail), "%.2f / %.2f million a second", median(*of(mine)), median(*peer));
    report.add({what, "ratio", median(ratios(*of(mine), *peer)), required > 0 ? Bound::at_least : Bound::none, required,
                detail});
  };
  row("CLEF: Cairn / floor", "Cairn, CLEF", "floor, CLEF", 0.5);
  row("CLEF: Cairn / Quill's JSON", "Cairn, CLEF", "Quill, JSON", 4);
  row("text: Cairn / floor", "Cairn, text", "floor, text", 0.55);
  row("text: Cairn / Quill's text", "Cairn, text", "Quill, text", 2);
  row("text: Cairn / spdlog async", "Cairn, text", "spdlog async, text", 0);
  for (std::size_t i = 0; i < count; ++i) {
    if (file_candidates[i].run != cairn_run) continue;
    const std::size_t apart = lines_to_a_check(options.events);
    const std::string checked = std::to_string((options.events + apart - 1) / apart) + " of them ";
    const bool clef = file_candidates[i].file.ends_with(".clef");
#ifdef CAIRN_HAVE_NLOHMANN_JSON
    const std::string parsed = checked + "parsed, values and types compared";
#else
    const std::string parsed = "NONE PARSED (nlohmann-json3-dev is not here)";
#endif
    const std::string detail = "all counted; " + (clef ? parsed : checked + "compared as text");
    report.add({std::string(file_candidates[i].name) + ": lines in the file, none dropped", "lines", lines[i],
                Bound::at_least, static_cast<double>(options.events), detail});
  }
}

// ---- a second sink that is slow

/// How long events take to come here.
class ProbeSink : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    const std::uint64_t now = ticks();
    for (const cairn::Event& event : events) {
      const auto sent = event.property("Sent");
      if (sent && sent->as_uint64())
        latencies.push_back(static_cast<double>(now - *sent->as_uint64()) * nanoseconds_a_tick());
    }
    return cairn::EmitResult::all(events);
  }
  std::vector<double> latencies;  // read after a flush
};

class SlowSink : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    if (!hurry.load()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return cairn::EmitResult::all(events);
  }
  std::atomic<bool> hurry{false};
};

void slow(Report& report, const Options&, const Directory&) {
  struct Side {
    std::shared_ptr<ProbeSink> probe = std::make_shared<ProbeSink>();
    std::optional<cairn::Logger> log;
    std::vector<double> p99, to_sink, to_sink_p99;
  };
  pin(1);
  Side alone;
  Side beside;
  auto slow_sink = std::make_shared<SlowSink>();
  alone.log = cairn::Configuration{}.write_to(alone.probe, "probe").with_queue().create_logger();
  beside.log = cairn::Configuration{}
                   .write_to(beside.probe, "probe")
                   .with_queue()
                   .write_to(slow_sink, "slow")
                   .with_queue()
                   .create_logger();
  for (Side* side : {&alone, &beside}) side->log->information("Begins");
  (void)alone.log->flush();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  pin(0);
  constexpr std::size_t rounds = 15;
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t k = 0; k < 2; ++k) {
      Side& side = (round + k) % 2 == 0 ? alone : beside;
      const cairn::Logger& log = *side.log;
      const std::size_t known = side.probe->latencies.size();
      std::vector<double> calls;
      for (int burst = 0; burst < 500; ++burst) {  // 20 events each 500 us: 40 000 a second
        wait_busily(std::chrono::microseconds(500));
        for (int i = 0; i < 20; ++i) {
          const std::uint64_t start = ticks();
          CAIRN_INFORMATION(log, "Sent at {Sent}, number {Number} of {Burst}", start, i, burst);
          calls.push_back(static_cast<double>(ticks() - start) * nanoseconds_a_tick());
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(60));  // all of it has arrived, or is counted as missing
      std::vector<double> arrived(side.probe->latencies.begin() + static_cast<std::ptrdiff_t>(known),
                                  side.probe->latencies.end());
      side.p99.push_back(percentile(calls, 0.99));
      side.to_sink.push_back(percentile(arrived, 0.5) / 1000);
      side.to_sink_p99.push_back(percentile(arrived, 0.99) / 1000);
    }
  }
  pin(1);
  slow_sink->hurry = true;

  report.add(
      Table{"a second sink that takes 50 ms a batch (medians of 15 rounds, 40 000 events a second)",
            {"call p99 ns", "to sink us", "to sink p99"},
            {{"one sink", {median(alone.p99), median(alone.to_sink), median(alone.to_sink_p99)}},
             {"a slow one beside it", {median(beside.p99), median(beside.to_sink), median(beside.to_sink_p99)}}}});
  const auto row = [&](const char* what, const std::vector<double>& with, const std::vector<double>& without) {
    const auto all = ratios(with, without);
    const Interval interval = median_interval(all);
    char detail[96];
    std::snprintf(detail, sizeof(detail),
                  "95 %% interval of the ratio %.2f to %.2f; required is that it begins at 1 or below", interval.low,
                  interval.high);
    report.add({what, "ratio", interval.low, Bound::at_most, 1, detail});
  };
  row("a slow second sink: the caller's p99, with / without", beside.p99, alone.p99);
  row("a slow second sink: the first sink's latency (median), with / without", beside.to_sink, alone.to_sink);
  row("a slow second sink: the first sink's latency (p99), with / without", beside.to_sink_p99, alone.to_sink_p99);
}

// ---- the same call, synchronous and queued

/// A terminal of which another thread reads what comes, as a terminal emulator does; stdout is it meanwhile.
class Terminal {
 public:
  Terminal() : master_(::posix_openpt(O_RDWR | O_NOCTTY)) {
    if (master_ < 0 || ::grantpt(master_) != 0 || ::unlockpt(master_) != 0) return;
    slave_ = ::open(::ptsname(master_), O_RDWR | O_NOCTTY);
    struct termios mode {};
    ::tcgetattr(slave_, &mode);
    ::cfmakeraw(&mode);
    ::tcsetattr(slave_, TCSANOW, &mode);
    reader_ = std::thread([this] {
      pin(1);
      char buffer[65536];
      while (::read(master_, buffer, sizeof(buffer)) > 0) {
      }
    });
    std::fflush(stdout);
    saved_ = ::dup(1);
    ::dup2(slave_, 1);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    if (saved_ >= 0) {
      ::dup2(saved_, 1);
      ::close(saved_);
    }
    if (slave_ >= 0) ::close(slave_);  // the last one: the reader's read fails
    if (reader_.joinable()) reader_.join();
    ::close(master_);
  }
  [[nodiscard]] bool works() const { return saved_ >= 0; }

 private:
  int master_;
  int slave_ = -1;
  int saved_ = -1;
  std::thread reader_;
};

void sync(Report& report, const Options&, const Directory& directory) {
  struct Way {
    std::string name;
    std::function<cairn::Logger()> make;
    std::vector<double> rounds{};
    double longest = 0;
  };
  Way ways[] = {
      {"console (pty), synchronous", [] { return cairn::Configuration{}.write_to_console().create_logger(); }},
      {"console (pty), queued", [] { return cairn::Configuration{}.write_to_console().with_queue().create_logger(); }},
      {"file, synchronous",
       [&] { return cairn::Configuration{}.write_to_file(directory.file("s.log")).create_logger(); }},
      {"file, queued",
       [&] { return cairn::Configuration{}.write_to_file(directory.file("q.log")).with_queue().create_logger(); }}};
  constexpr int calls = 4000;  // fewer than the queue holds: none is dropped
  {
    Terminal terminal;
    if (!terminal.works()) {
      report.fact("console", "there is no pty: its rows are missing");
      return;
    }
    pin(1);
    std::vector<cairn::Logger> logs;
    for (Way& way : ways) {
      logs.push_back(way.make());
      logs.back().information("Begins");
      (void)logs.back().flush();
    }
    pin(0);
    for (int round = 0; round < 15; ++round) {
      for (std::size_t w = 0; w < std::size(ways); ++w) {
        const cairn::Logger& log = logs[w];
        const auto start = SteadyTime::now();
        for (int i = 0; i < calls; ++i)
          CAIRN_INFORMATION(log, "Iteration: {Iteration} int: {Int} double: {Double}", i, i * 2, i * 0.5);
        ways[w].rounds.push_back(std::chrono::duration<double, std::nano>(SteadyTime::now() - start).count() / calls);
        (void)log.flush();
      }
    }
    for (std::size_t w = 0; w < std::size(ways); ++w) {
      const cairn::Logger& log = logs[w];
      const int loops = w < 2 && w % 2 == 0 ? 20'000 : 100'000;
      for (int i = 0; i < loops; ++i) {
        const std::uint64_t start = ticks();
        CAIRN_INFORMATION(log, "Iteration: {Iteration} int: {Int} double: {Double}", i, i * 2, i * 0.5);
        ways[w].longest = std::max(ways[w].longest, static_cast<double>(ticks() - start) * nanoseconds_a_tick() / 1000);
      }
      (void)log.flush();
    }
    pin(1);
    for (const cairn::Logger& log : logs) (void)log.close();
  }
  Table table{
      "the same call (loops of 4000, medians of 15; the longest of 100 000, to the console synchronously of 20 000)",
      {"ns a call", "longest us"}};
  for (const Way& way : ways) table.rows.push_back({way.name, {median(way.rounds), way.longest}});
  report.add(std::move(table));
  report.add({"console (a pty that is read): synchronous / queued", "times",
              median(ratios(ways[0].rounds, ways[1].rounds)), Bound::at_least, 4.2});
  report.add({"file: synchronous / queued", "times", median(ratios(ways[2].rounds, ways[3].rounds))});
  report.add({"file, queued: the longest single call of 100 000 in a loop", "us", ways[3].longest});
}

struct Group {
  std::string_view name;
  void (*run)(Report&, const Options&, const Directory&);
};
constexpr Group groups[] = {{"file", file}, {"slow", slow}, {"sync", sync}};

}  // namespace

int main(int count, char** texts) {
  Arguments arguments(count, texts);
  Options options;
  const std::string json = arguments.text("--json");
  options.group = arguments.text("--group");
  options.rounds = arguments.number("--rounds", options.rounds);
  options.events = arguments.number("--events", options.events);
  const Directory directory(arguments.text("--dir"));
  arguments.finish(
      "bench_throughput [--json FILE] [--group file|slow|sync] [--rounds N] [--events N] [--dir DIRECTORY]");

  Report report("throughput: through a queue into a file");
  report.fact("files", "on " + directory.file_system());
  report.fact("rounds", std::to_string(options.rounds) + " of " + std::to_string(options.events) + " events");
  report.fact("pinned", "producer on core 0, what delivers on core 1");
  report.fact("Cairn", "queue of 8192, block; file buffered");
#ifdef CAIRN_HAVE_QUILL
  report.fact("Quill", "found; unbounded blocking, as it comes; backend never sleeps, ordering 1 us; file buffered");
#else
  report.fact("Quill", "NOT FOUND: its rows are missing (CMAKE_PREFIX_PATH)");
#endif
#ifndef CAIRN_HAVE_SPDLOG
  report.fact("spdlog", "NOT FOUND: its rows are missing (libspdlog-dev)");
#endif
  report.fact("glog, Boost.Log", "no rows here: ./dev bench latency has them");
  bool any = false;
  for (const Group& group : groups) {
    if (!options.group.empty() && options.group != group.name) continue;
    any = true;
    std::fprintf(stderr, "%s …\n", std::string(group.name).c_str());
    group.run(report, options, directory);
  }
  if (!any) {
    std::fprintf(stderr, "no group %s\n", options.group.c_str());
    return 2;
  }
  report.print();
  if (!json.empty()) report.write_json(json);
  return 0;
}
