// What a call costs its caller when a queue stands between it and the sinks.
//
//   bench_latency [--json FILE] [--group GROUP] [--rounds N] [--bursts N] [--pause MICROSECONDS] [--dir DIRECTORY]
//
// Groups: numbers text context full producers rare peers; all of them when none is named.
//
// A round is, for each candidate in turn, one burst that is not counted (its first call comes after a long silence,
// which is a row of its own), and then N bursts of 20 calls with a busy pause before each, so that no queue is full
// unless the row says so. In every other burst each call stands alone between two readings of the time stamp counter
// ("call"; what two readings with nothing between them take is subtracted), in the others the 20 calls stand between
// two ("burst": their mean, which resolves more than the counter's step). Percentiles are taken in each round; shown
// are their medians over the rounds, and of ratios the medians of the rounds' ratios. The producer runs on core 0,
// what delivers on core 1.
#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "cairn/cairn.hpp"
#include "cairn/configuration.hpp"
#include "cairn/log_context.hpp"
#include "lane/block.hpp"
#include "support/measure.hpp"
#include "support/report.hpp"

#ifdef CAIRN_HAVE_QUILL
#include <quill/Backend.h>
#include <quill/Frontend.h>
#include <quill/LogFunctions.h>
#include <quill/LogMacros.h>
#include <quill/Logger.h>
#include <quill/sinks/FileSink.h>
#endif
#ifdef CAIRN_HAVE_SPDLOG
#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>
#endif
#ifdef CAIRN_HAVE_GLOG
#include <glog/logging.h>
#endif
#ifdef CAIRN_HAVE_BOOST_LOG
#include <boost/log/core.hpp>
#include <boost/log/expressions.hpp>
#include <boost/log/sinks/async_frontend.hpp>
#include <boost/log/sinks/text_file_backend.hpp>
#include <boost/log/sources/severity_logger.hpp>
#include <boost/log/trivial.hpp>
#endif

namespace {

using namespace bench;

constexpr std::size_t burst_calls = 20;

struct Options {
  std::size_t rounds = 15;
  std::size_t bursts = 200;
  std::size_t pause = 2000;  // microseconds
  std::string group;
};

/// What is logged: different in each call.
struct Values {
  int iteration = 0;
  int twice = 0;
  double half = 0;
  std::string text = "a string of exactly forty characters: ok";  // 40

  void next() noexcept {
    ++iteration;
    twice = 2 * iteration;
    half = 0.5 * iteration;
  }
};

double empty_ticks() {
  static const double value = [] {
    std::vector<double> all;
    for (int i = 0; i < 100'000; ++i) {
      const std::uint64_t start = ticks();
      asm volatile("" : : : "memory");
      all.push_back(static_cast<double>(ticks() - start));
    }
    return median(std::move(all));
  }();
  return value;
}

double net_nanoseconds(std::uint64_t start, std::uint64_t end) {
  return std::max(0.0, static_cast<double>(end - start) - empty_ticks()) * nanoseconds_a_tick();
}

/// Of one candidate, a value a round each.
struct Series {
  std::vector<double> burst_p50, burst_p99, p50, p99, p999;  // a round has too few bursts for their p99.9
  double longest = 0;

  void add(std::vector<double>& bursts, std::vector<double>& calls) {
    burst_p50.push_back(percentile(bursts, 0.5));
    burst_p99.push_back(percentile(bursts, 0.99));
    p50.push_back(percentile(calls, 0.5));
    p99.push_back(percentile(calls, 0.99));
    p999.push_back(percentile(calls, 0.999));
    longest = std::max(longest, calls.back());
  }
};

struct Samples {
  std::vector<double> bursts, calls;
};

struct Candidate {
  std::string name;
  std::function<void(std::size_t bursts, std::size_t pause, Samples&)> run;
  Series series{};
};

/// `prepare` is not measured; it comes before each call and makes both kinds of burst one of single calls.
template <class Call, class Prepare = std::nullptr_t>
Candidate candidate(std::string name, Call call, Prepare prepare = nullptr) {
  constexpr bool prepared = !std::is_same_v<Prepare, std::nullptr_t>;
  return {std::move(name), [=, values = Values{}](std::size_t bursts, std::size_t pause, Samples& samples) mutable {
            std::array<std::uint64_t, 2 * burst_calls> times;
            for (std::size_t i = 0; i < bursts; ++i) {
              wait_busily(std::chrono::microseconds(pause));
              if (i % 2 == 0 || prepared) {
                for (std::size_t k = 0; k < burst_calls; ++k) {
                  if constexpr (prepared) prepare();
                  times[2 * k] = ticks();
                  call(values);
                  times[2 * k + 1] = ticks();
                  values.next();
                }
                double sum = 0;
                for (std::size_t k = 0; k < burst_calls; ++k) {
                  samples.calls.push_back(net_nanoseconds(times[2 * k], times[2 * k + 1]));
                  sum += samples.calls.back();
                }
                if constexpr (prepared) samples.bursts.push_back(sum / burst_calls);
              } else {
                const std::uint64_t start = ticks();
                for (std::size_t k = 0; k < burst_calls; ++k) {
                  call(values);
                  values.next();
                }
                samples.bursts.push_back(static_cast<double>(ticks() - start) * nanoseconds_a_tick() / burst_calls);
              }
            }
          }};
}

void measure(std::vector<Candidate>& candidates, const Options& options, std::size_t rounds) {
  pin(0);
  for (Candidate& each : candidates) {
    Samples ignored;
    each.run(20, 200, ignored);
  }
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      Candidate& each = candidates[round % 2 == 0 ? i : candidates.size() - 1 - i];
      Samples samples;
      Samples ignored;  // the first call after the others' silence wakes what delivers: that is a row of its own
      each.run(1, options.pause, ignored);
      each.run(options.bursts, options.pause, samples);
      each.series.add(samples.bursts, samples.calls);
    }
  }
  pin(1);
}

Table table_of(std::string title, const std::vector<Candidate>& candidates) {
  Table table{std::move(title), {"burst p50", "burst p99", "call p50", "p99", "p99.9", "max"}};
  for (const Candidate& each : candidates) {
    const Series& s = each.series;
    table.rows.emplace_back(each.name, std::vector<double>{median(s.burst_p50), median(s.burst_p99), median(s.p50),
                                                           median(s.p99), median(s.p999), s.longest});
  }
  return table;
}

const Series& find(const std::vector<Candidate>& candidates, std::string_view name) {
  for (const Candidate& each : candidates)
    if (each.name == name) return each.series;
  static const Series none;
  return none;
}

std::string both(const std::vector<double>& a, const std::vector<double>& b) {
  char text[96];
  std::snprintf(text, sizeof(text), "%.1f / %.1f ns", median(a), median(b));
  return text;
}

Row ratio_row(std::string what, const std::vector<double>& a, const std::vector<double>& b, double required) {
  return {std::move(what), "ratio", median(ratios(a, b)), Bound::at_most, required, both(a, b)};
}

/// Against a peer, by the mean of bursts and by single calls. A call of less than the counter's step counts as a step.
void against(Report& report, const std::string& what, const Series& mine, const Series& peer, bool all, double bound) {
  if (peer.p50.empty()) return;
  const auto floored = [](std::vector<double> values) {
    for (double& v : values) v = std::max(v, 10.0);
    return values;
  };
  if (all) report.add(ratio_row(what + ": p50 (burst)", mine.burst_p50, peer.burst_p50, bound));
  report.add(ratio_row(what + ": p99 (burst)", mine.burst_p99, peer.burst_p99, bound));
  report.add(ratio_row(what + ": p99 (call)", floored(mine.p99), floored(peer.p99), bound));
  if (all) report.add(ratio_row(what + ": p99.9 (call)", floored(mine.p999), floored(peer.p999), bound));
}

// ---- candidates

/// Reads the counter, stores 56 bytes and then the first word with release, in a ring of that many bytes.
Candidate floor_of(std::string name, std::size_t bytes) {
  auto ring = std::shared_ptr<std::byte[]>(new std::byte[bytes]());
  std::size_t at = 0;
  std::byte* const memory = ring.get();
  return candidate(std::move(name), [ring, memory, bytes, at](const Values& v) mutable {
    struct {
      std::uint64_t word, time;
      const void* site;
      std::int64_t a, b;
      double c;
      std::uint64_t d;
    } record{0, __rdtsc(), memory, v.iteration, v.twice, v.half, 0};
    static_assert(sizeof(record) == 56);
    std::byte* const to = memory + at;
    std::memcpy(to + 8, reinterpret_cast<const std::byte*>(&record) + 8, sizeof(record) - 8);
    std::atomic_ref(*reinterpret_cast<std::uint64_t*>(to)).store(56, std::memory_order_release);
    at = at + 2 * sizeof(record) <= bytes ? at + sizeof(record) : 0;
  });
}

constexpr std::size_t two_blocks = std::size_t{2} << 14;

cairn::Logger cairn_logger(const Directory& directory, const std::string& name) {
  pin(1);
  cairn::Logger log =
      cairn::Configuration{}.write_to_file(directory.file(name), {.max_file_bytes = 0}).with_queue().create_logger();
  log.information("Begins");  // the dispatcher and the sink's thread are started by it, on this core
  (void)log.flush();
  return log;
}

Candidate cairn_macro(std::string name, const cairn::Logger& log) {
  return candidate(std::move(name), [log](const Values& v) {
    CAIRN_INFORMATION(log, "Iteration: {Iteration} int: {Int} double: {Double}", v.iteration, v.twice, v.half);
  });
}
Candidate cairn_function(std::string name, const cairn::Logger& log) {
  return candidate(std::move(name), [log](const Values& v) {
    log.information("Iteration: {Iteration} int: {Int} double: {Double}", v.iteration, v.twice, v.half);
  });
}
Candidate cairn_text(std::string name, const cairn::Logger& log) {
  return candidate(std::move(name), [log](const Values& v) {
    CAIRN_INFORMATION(log, "Iteration: {Iteration} int: {Int} text: {Text}", v.iteration, v.twice, v.text);
  });
}

#ifdef CAIRN_HAVE_QUILL
/// The fastest of its queues, as large as Cairn's lane.
struct QuillOptions : quill::FrontendOptions {
  static constexpr quill::QueueType queue_type = quill::QueueType::BoundedDropping;
  static constexpr std::size_t initial_queue_capacity = 512U * 1024U;
};
using QuillFrontend = quill::FrontendImpl<QuillOptions>;
using QuillLogger = quill::LoggerImpl<QuillOptions>;

QuillLogger* quill_logger(const Directory& directory) {
  static QuillLogger* const logger = [&directory] {
    quill::BackendOptions backend;
    backend.cpu_affinity = {1};
    backend.log_timestamp_ordering_grace_period = std::chrono::microseconds(1);
    quill::Backend::start(backend);
    auto sink = QuillFrontend::create_or_get_sink<quill::FileSink>(directory.file("quill.log"), [] {
      quill::FileSinkConfig config;
      config.set_open_mode('w');
      return config;
    }());
    return QuillFrontend::create_or_get_logger(
        "bench", std::move(sink),
        quill::PatternFormatterOptions{"%(time) [%(thread_id)] %(short_source_location) %(log_level) %(message)",
                                       "%H:%M:%S.%Qns", quill::Timezone::GmtTime, false});
  }();
  QuillFrontend::preallocate();
  return logger;
}
void add_quill(std::vector<Candidate>& candidates, const Directory& directory) {
  QuillLogger* const log = quill_logger(directory);
  candidates.push_back(candidate("Quill, macro", [log](const Values& v) {
    LOG_INFO(log, "Iteration: {} int: {} double: {}", v.iteration, v.twice, v.half);
  }));
  candidates.push_back(candidate("Quill, function", [log](const Values& v) {
    quill::info(log, "Iteration: {} int: {} double: {}", v.iteration, v.twice, v.half);
  }));
}
void add_quill_text(std::vector<Candidate>& candidates, const Directory& directory) {
  QuillLogger* const log = quill_logger(directory);
  candidates.push_back(candidate("Quill, macro", [log](const Values& v) {
    LOG_INFO(log, "Iteration: {} int: {} text: {}", v.iteration, v.twice, v.text);
  }));
}
#else
void add_quill(std::vector<Candidate>&, const Directory&) {}
void add_quill_text(std::vector<Candidate>&, const Directory&) {}
#endif

// ---- groups

void numbers(Report& report, const Options& options, const Directory& directory) {
  const cairn::Logger log = cairn_logger(directory, "numbers.log");
  std::vector<Candidate> all;
  all.push_back(candidate("nothing", [](const Values&) { asm volatile("" : : : "memory"); }));
  all.push_back(floor_of("floor, two blocks of memory", two_blocks));
  all.push_back(floor_of("floor, as much memory as the lane", cairn::detail::lane_shape_for(8192).region_bytes()));
  all.push_back(cairn_macro("Cairn, macro", log));
  all.push_back(cairn_function("Cairn, function", log));
  add_quill(all, directory);
  measure(all, options, options.rounds);
  const Series& macro = find(all, "Cairn, macro");
  report.add(ratio_row("three numbers: macro / floor of two blocks: p50 (burst)", macro.burst_p50,
                       find(all, "floor, two blocks of memory").burst_p50, 1.2));
  report.add(ratio_row("three numbers: function / macro: p50 (burst)", find(all, "Cairn, function").burst_p50,
                       macro.burst_p50, 1.1));
  against(report, "three numbers: macro / Quill's macro", macro, find(all, "Quill, macro"), true, 1.1);
  report.add(table_of("three numbers, ns", all));
}

void text(Report& report, const Options& options, const Directory& directory) {
  const cairn::Logger log = cairn_logger(directory, "text.log");
  std::vector<Candidate> all;
  all.push_back(cairn_text("Cairn, macro", log));
  add_quill_text(all, directory);
  measure(all, options, options.rounds);
  const Series& quill = find(all, "Quill, macro");
  if (!quill.p50.empty())
    report.add(ratio_row("a 40-character string: macro / Quill's macro: p50 (burst)",
                         find(all, "Cairn, macro").burst_p50, quill.burst_p50, 1.1));
  against(report, "a 40-character string: macro / Quill's macro", find(all, "Cairn, macro"), quill, false, 1.1);
  report.add(table_of("two numbers and a string of 40 characters, ns", all));
}

void context(Report& report, const Options& options, const Directory& directory) {
  using cairn::LogContext;
  const cairn::Logger log = cairn_logger(directory, "context.log");
  const cairn::Logger shard = log.for_context("Shard", 7);
  const auto snapshot_of = [](int request) {
    const auto properties = LogContext::push_properties(
        {{"RequestId", request}, {"User", std::string_view("alice.anderson")}, {"Tenant", std::string_view("north")}});
    return LogContext::snapshot();
  };
  const cairn::ContextSnapshot one = snapshot_of(1);
  const cairn::ContextSnapshot two = snapshot_of(2);
  const auto with_context = [one](Candidate inner) {
    auto run = std::move(inner.run);
    inner.run = [one, run](std::size_t bursts, std::size_t pause, Samples& samples) {
      const LogContext::Scope scope(one);
      run(bursts, pause, samples);
    };
    return inner;
  };
  auto scope = std::make_shared<std::optional<LogContext::Scope>>();
  auto turn = std::make_shared<bool>(false);
  const auto change = [scope, turn, one, two] {
    *turn = !*turn;
    scope->reset();
    scope->emplace(*turn ? one : two);
  };
  const auto call = [log](const Values& v) {
    CAIRN_INFORMATION(log, "Iteration: {Iteration} int: {Int} double: {Double}", v.iteration, v.twice, v.half);
  };
  std::vector<Candidate> all;
  all.push_back(cairn_macro("bare", log));
  all.push_back(with_context(cairn_macro("three ambient and a logger's property", shard)));
  all.push_back(candidate("two contexts in turn, the call", call, change));
  all.push_back(candidate("two contexts in turn, the change as well", [change, call](const Values& v) {
    change();
    call(v);
  }));
  measure(all, options, options.rounds);
  scope->reset();
  report.add(ratio_row("three ambient and a logger's property / bare: p50 (burst)",
                       find(all, "three ambient and a logger's property").burst_p50, find(all, "bare").burst_p50,
                       1.15));
  report.add(ratio_row("two contexts in turn, the call after the change / bare: p50",
                       find(all, "two contexts in turn, the call").burst_p50, find(all, "bare").burst_p50, 2));
  Row change_row =
      ratio_row("two contexts in turn, with the change itself / bare: p50 (burst)",
                find(all, "two contexts in turn, the change as well").burst_p50, find(all, "bare").burst_p50, 2);
  change_row.bound = Bound::none;
  report.add(change_row);
  report.add(table_of("context, ns", all));
}

/// Takes nothing until it is let go.
class BlockedSink : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    open.wait(false);
    return cairn::EmitResult::all(events);
  }
  std::atomic<bool> open{false};
};

void full(Report& report, const Options& options, const Directory&) {
  pin(1);
  auto sink = std::make_shared<BlockedSink>();
  const cairn::Logger log = cairn::Configuration{}.write_to(sink, "blocked").with_queue().create_logger();
  for (int i = 0; i < 20'000; ++i) {
    CAIRN_INFORMATION(log, "Fills it {Index}", i);
    if (i % 512 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::vector<Candidate> all;
  all.push_back(floor_of("floor, two blocks of memory", two_blocks));
  all.push_back(floor_of("floor, as much memory as the lane", cairn::detail::lane_shape_for(8192).region_bytes()));
  all.push_back(cairn_macro("queue full, drops the oldest", log));
  measure(all, options, options.rounds);

  // Faster than anyone can follow: the lane itself drops its oldest block.
  Candidate tight = candidate("the same without pauses", [log](const Values& v) {
    CAIRN_INFORMATION(log, "Iteration: {Iteration} int: {Int} double: {Double}", v.iteration, v.twice, v.half);
  });
  pin(0);
  for (std::size_t i = 0; i < options.rounds; ++i) {
    Samples samples;
    tight.run(2000, 0, samples);
    tight.series.add(samples.bursts, samples.calls);
  }
  pin(1);
  all.push_back(std::move(tight));
  const auto metrics = log.metrics();
  sink->open = true;
  sink->open.notify_all();

  const Series& mine = find(all, "queue full, drops the oldest");
  report.add(ratio_row("queue full, drops the oldest / floor of two blocks: p50 (burst)", mine.burst_p50,
                       find(all, "floor, two blocks of memory").burst_p50, 2));
  report.add({"queue full, drops the oldest: p99.9 of single calls", "ns", median(mine.p999), Bound::at_most, 1000,
              std::to_string(metrics.sink("blocked")->dropped_total()) + " dropped by the queue, " +
                  std::to_string(metrics.logger.dropped_total()) + " by the lane"});
  report.add(table_of("a queue that is full, ns", all));
}

/// Four threads at once, two a core; they sleep between their bursts, so that what delivers gets its turn.
template <class Call, class Start>
void run_four(Series& series, const Options& options, Call call, Start start) {
  std::array<Samples, 4> samples;
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      pin(t % 2);
      start();
      Candidate mine = candidate("", call);
      ++ready;
      while (ready.load() < 4) std::this_thread::yield();
      for (std::size_t i = 0; i < options.bursts / 2; ++i) {
        std::this_thread::sleep_for(std::chrono::microseconds(std::max<std::size_t>(options.pause, 200)));
        mine.run(2, 0, samples[t]);
      }
    });
  }
  for (std::thread& each : threads) each.join();
  Samples all;
  for (Samples& each : samples) {
    all.bursts.insert(all.bursts.end(), each.bursts.begin(), each.bursts.end());
    all.calls.insert(all.calls.end(), each.calls.begin(), each.calls.end());
  }
  series.add(all.bursts, all.calls);
}

void producers(Report& report, const Options& options, const Directory& directory) {
  const cairn::Logger log = cairn_logger(directory, "producers.log");
  const auto call = [log](const Values& v) {
    CAIRN_INFORMATION(log, "Iteration: {Iteration} int: {Int} double: {Double}", v.iteration, v.twice, v.half);
  };
  std::vector<Candidate> all{{"Cairn, macro", {}}};
#ifdef CAIRN_HAVE_QUILL
  QuillLogger* const quill_log = quill_logger(directory);
  const auto quill_call = [quill_log](const Values& v) {
    LOG_INFO(quill_log, "Iteration: {} int: {} double: {}", v.iteration, v.twice, v.half);
  };
  all.push_back({"Quill, macro", {}});
#endif
  for (std::size_t round = 0; round < options.rounds; ++round) {
    run_four(all[0].series, options, call, [log] { CAIRN_INFORMATION(log, "Begins"); });
#ifdef CAIRN_HAVE_QUILL
    run_four(all[1].series, options, quill_call, [] { QuillFrontend::preallocate(); });
#endif
  }
  against(report, "four producers on two cores: macro / Quill's macro", all[0].series, find(all, "Quill, macro"), false,
          1.1);
  report.add(table_of("four producers on two cores, ns", all));
}

// ---- what happens seldom

template <class Call>
double timed(Call call) {
  const std::uint64_t start = ticks();
  call();
  return net_nanoseconds(start, ticks());
}

std::pair<std::string, std::vector<double>> seldom(std::string name, std::vector<double> values) {
  return {std::move(name),
          {percentile(values, 0.5), percentile(values, 0.99), percentile(values, 0.999), percentile(values, 1)}};
}

template <class Call>
std::vector<double> first_calls(std::size_t threads, Call call) {
  std::vector<double> result;
  for (std::size_t i = 0; i < threads; ++i) {
    std::thread([&] {
      pin(0);
      result.push_back(timed(call));
    }).join();
  }
  return result;
}

template <class Call>
std::vector<double> after_silence(std::size_t times, Call call) {
  std::vector<double> result;
  for (std::size_t i = 0; i < times; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(15));
    result.push_back(timed(call));
  }
  return result;
}

template <class Call>
std::vector<double> loop_of(std::size_t calls, Call call) {
  std::vector<double> result(calls);
  for (double& each : result) each = timed(call);
  return result;
}

void rare(Report& report, const Options&, const Directory& directory) {
  const cairn::Logger log = cairn_logger(directory, "rare.log");
  cairn::Logger quiet_log =
      cairn::Configuration{}.warning().write_to_file(directory.file("quiet.log")).with_queue().create_logger();
  const cairn::Logger& quiet = opaque(quiet_log);
  Values values;
  const auto call = [&log, &values] {
    CAIRN_INFORMATION(log, "Iteration: {Iteration} int: {Int} double: {Double}", values.iteration, values.twice,
                      values.half);
    values.next();
  };
  pin(0);
  Table table{"what happens seldom, single calls, ns", {"p50", "p99", "p99.9", "max"}};
  table.rows.push_back(seldom("Cairn: first call of a thread (200)", first_calls(200, call)));
  table.rows.push_back(seldom("Cairn: first call after 15 ms of silence (200)", after_silence(200, call)));
  table.rows.push_back(seldom("Cairn: 100 000 calls in a loop", loop_of(100'000, call)));
#ifdef CAIRN_HAVE_QUILL
  QuillLogger* const quill_log = quill_logger(directory);
  const auto quill_call = [quill_log, &values] {
    LOG_INFO(quill_log, "Iteration: {} int: {} double: {}", values.iteration, values.twice, values.half);
    values.next();
  };
  table.rows.push_back(seldom("Quill: first call of a thread (200)", first_calls(200, quill_call)));
  table.rows.push_back(seldom("Quill: first call after 15 ms of silence (200)", after_silence(200, quill_call)));
  table.rows.push_back(seldom("Quill: 100 000 calls in a loop", loop_of(100'000, quill_call)));
#endif
  table.rows.push_back(seldom("Cairn: a level that is off", loop_of(100'000, [&] {
                                CAIRN_INFORMATION(quiet, "Iteration: {Iteration} int: {Int} double: {Double}",
                                                  values.iteration, values.twice, values.half);
                              })));
  report.add({"first call of a thread: p50", "us", table.rows[0].second[0] / 1000});
  report.add({"first call after 15 ms of silence, one wake: p50", "us", table.rows[1].second[0] / 1000});
  report.add({"the longest of 100 000 calls in a loop", "us", table.rows[2].second[3] / 1000});

  std::vector<double> disabled;
  for (int round = 0; round < 15; ++round) {
    constexpr std::size_t calls = 1'000'000;
    const std::uint64_t start = ticks();
    for (std::size_t i = 0; i < calls; ++i) {
      asm volatile("" : : : "memory");
      CAIRN_INFORMATION(quiet, "Iteration: {Iteration} int: {Int} double: {Double}", values.iteration, values.twice,
                        values.half);
    }
    disabled.push_back(static_cast<double>(ticks() - start) * nanoseconds_a_tick() / calls);
  }
  report.add({"a level that is off, with the loop around it", "ns", median(disabled), Bound::at_most, 1});
  report.add(std::move(table));
  pin(1);
}

// ---- the peers of another order of magnitude

void peers(Report& report, const Options& options, const Directory& directory) {
  const cairn::Logger log = cairn_logger(directory, "peers.log");
  std::vector<Candidate> all;
  all.push_back(cairn_macro("Cairn, macro", log));
#ifdef CAIRN_HAVE_SPDLOG
  auto pool = std::make_shared<spdlog::details::thread_pool>(8192, 1, [] { pin(1); });
  auto spdlog_log = std::make_shared<spdlog::async_logger>(
      "bench", std::make_shared<spdlog::sinks::basic_file_sink_mt>(directory.file("spdlog.log"), true), pool,
      spdlog::async_overflow_policy::overrun_oldest);
  all.push_back(candidate("spdlog, async", [spdlog_log](const Values& v) {
    spdlog_log->info("Iteration: {} int: {} double: {}", v.iteration, v.twice, v.half);
  }));
#endif
#ifdef CAIRN_HAVE_GLOG
  FLAGS_log_dir = directory.path();
  FLAGS_logbuflevel = google::GLOG_INFO;
  FLAGS_logbufsecs = 30;
  google::InitGoogleLogging("bench_latency");
  all.push_back(candidate("glog, buffered (it has no queue)", [](const Values& v) {
    LOG(INFO) << "Iteration: " << v.iteration << " int: " << v.twice << " double: " << v.half;
  }));
#endif
#ifdef CAIRN_HAVE_BOOST_LOG
  namespace logging = boost::log;
  using BoostSink = logging::sinks::asynchronous_sink<logging::sinks::text_file_backend>;
  auto boost_sink = boost::make_shared<BoostSink>(boost::make_shared<logging::sinks::text_file_backend>(
      logging::keywords::file_name = directory.file("boost.log")));
  logging::core::get()->add_sink(boost_sink);
  auto source = std::make_shared<logging::sources::severity_logger_mt<logging::trivial::severity_level>>();
  all.push_back(candidate("Boost.Log, async", [source](const Values& v) {
    BOOST_LOG_SEV(*source, logging::trivial::info)
        << "Iteration: " << v.iteration << " int: " << v.twice << " double: " << v.half;
  }));
#endif
  measure(all, options, std::min<std::size_t>(options.rounds, 5));
  for (std::size_t i = 1; i < all.size(); ++i) {
    report.add({"three numbers: macro / " + all[i].name + ": p50 (burst)", "ratio",
                median(ratios(all[0].series.burst_p50, all[i].series.burst_p50)), Bound::none, 0,
                both(all[0].series.burst_p50, all[i].series.burst_p50)});
  }
#ifdef CAIRN_HAVE_BOOST_LOG
  logging::core::get()->remove_sink(boost_sink);
  boost_sink->stop();
#endif
  report.add(table_of("peers, three numbers, ns", all));
}

struct Group {
  std::string_view name;
  void (*run)(Report&, const Options&, const Directory&);
};
constexpr Group groups[] = {{"numbers", numbers},     {"text", text}, {"context", context}, {"full", full},
                            {"producers", producers}, {"rare", rare}, {"peers", peers}};

}  // namespace

int main(int count, char** texts) {
  Arguments arguments(count, texts);
  Options options;
  const std::string json = arguments.text("--json");
  options.group = arguments.text("--group");
  options.rounds = arguments.number("--rounds", options.rounds);
  options.bursts = arguments.number("--bursts", options.bursts);
  options.pause = arguments.number("--pause", options.pause);
  const Directory directory(arguments.text("--dir"));
  arguments.finish(
      "bench_latency [--json FILE] [--group numbers|text|context|full|producers|rare|peers] [--rounds N] "
      "[--bursts N] [--pause MICROSECONDS] [--dir DIRECTORY]");

  Report report("latency: the caller's cost of a queued call");
  report.fact("files", "on " + directory.file_system());
  report.fact("rounds", std::to_string(options.rounds) + ", of " + std::to_string(options.bursts) +
                            " bursts of 20 calls, " + std::to_string(options.pause) + " us apart");
  pin(0);
  report.fact("an empty measurement", std::to_string(empty_ticks() * nanoseconds_a_tick()) + " ns, subtracted");
  pin(1);
  report.fact("pinned", "producer on core 0, what delivers on core 1");
#ifdef CAIRN_HAVE_QUILL
  report.fact("Quill",
              "found; BoundedDropping, 512 KiB, preallocated; backend as it comes (sleeps 100 us), ordering 1 us");
#else
  report.fact("Quill", "NOT FOUND: its rows are missing (CMAKE_PREFIX_PATH)");
#endif
#ifndef CAIRN_HAVE_SPDLOG
  report.fact("spdlog", "NOT FOUND: its row is missing (libspdlog-dev)");
#endif
#ifndef CAIRN_HAVE_GLOG
  report.fact("glog", "NOT FOUND: its row is missing (libgoogle-glog-dev)");
#endif
#ifndef CAIRN_HAVE_BOOST_LOG
  report.fact("Boost.Log", "NOT FOUND: its row is missing (libboost-log-dev)");
#endif
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
#ifdef CAIRN_HAVE_QUILL
  quill::Backend::stop();  // while its file's directory is there
#endif
  report.print();
  if (!json.empty()) report.write_json(json);
  return 0;
}
