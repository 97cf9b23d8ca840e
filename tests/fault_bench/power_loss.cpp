// S15: the power is cut at any moment of a program that logs to a rolling file with `durable = batch`. Whatever the
// disk holds then of what was not synced, every event that was told to be written is there once, and the next start
// opens the file and goes on with whole lines.
#include <cairn/all.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "bench.hpp"
#include "sinks/file_sink.hpp"
#include "support/event_oracle.hpp"
#include "support/recording_file_ops.hpp"

namespace cairn::fault_bench {

namespace {

using namespace std::chrono_literals;
using cairn::testing::EventOracle;
using cairn::testing::log_marked;
using cairn::testing::mark_of;
using cairn::testing::RecordingFileOps;

struct Variant {
  const char* name;
  FileOptions options;
};

/// What the program does, once: batches of a few lines, a roll every other one, files opened afresh.
void record(const FileOptions& options, const std::string& folder, RecordingFileOps& ops) {
  Configuration config;
  config.on_internal_error([](std::string_view) {});
  config.write_to(std::make_shared<detail::FileSink>(folder + "/power.log", options, ops, system_clock()), "file")
      .with_queue({.overflow = Overflow::block});
  const Logger log = config.create_logger();
  std::uint64_t number = 0;
  for (int batch = 0; batch < 24; ++batch) {
    for (int i = 0; i < 6; ++i) log_marked(log, 0, number++, std::string(80 + 20 * static_cast<std::size_t>(i), 'p'));
    if (log.flush(1min).status == FlushStatus::ok) ops.promise(number);
    if (batch == 13) log.reopen();
  }
  static_cast<void>(log.close());  // else its end goes on in the background
}

}  // namespace

void power_loss(Bench& bench) {
  const Variant variants[] = {
      {"durable",
       {.output_template = "{Message}{NewLine}", .max_file_bytes = 1500, .retain_files = 0, .durable = Durable::batch}},
      {"durable, the active name kept",
       {.output_template = "{Message}{NewLine}",
        .max_file_bytes = 1500,
        .retain_files = 0,
        .keep_active_name = true,
        .durable = Durable::batch}},
  };
  const std::uint64_t states = bench.by_length<std::uint64_t>(5'000, 100'000, 1'000'000) / std::size(variants);
  for (const Variant& variant : variants) {
    const std::string made = bench.folder() + "/made";
    const std::string cut = bench.folder() + "/cut";
    std::filesystem::create_directory(made);
    RecordingFileOps ops;
    record(variant.options, made, ops);
    std::filesystem::remove_all(made);
    std::uint64_t missing = 0;
    std::uint64_t twice = 0;
    std::uint64_t not_opened = 0;
    std::uint64_t torn = 0;
    std::uint64_t torn_states = 0;
    std::string first;
    for (std::uint64_t state = 0; state < states; ++state) {
      std::filesystem::create_directory(cut);
      // Every moment in turn, each again and again.
      const std::size_t moment = state % (ops.size() + 1);
      const std::uint64_t promised = ops.cut(moment, bench.random, cut);
      {
        detail::RollingFile next(cut + "/power.log", variant.options, detail::system_file_ops(), system_clock());
        const std::string line = "1 0 " + std::to_string(mark_of(1, 0, "after")) + " after\n";
        const detail::RollingFile::Unit unit{line.size(), system_clock().now()};
        not_opened += next.append(line, {&unit, 1}).units_written == 1 ? 0U : 1U;
      }
      EventOracle oracle;
      oracle.read_folder(cut, variant.options.keep_active_name);
      const std::uint64_t lost = oracle.missing(0, promised) + oracle.missing(1, 1);
      missing += lost;
      twice += oracle.twice;
      torn += oracle.torn;
      torn_states += oracle.torn != 0 ? 1U : 0U;
      if (first.empty() && lost + oracle.twice != 0) {
        first = "moment " + std::to_string(moment) + " of " + std::to_string(ops.size()) + ": " + std::to_string(lost) +
                " of " + std::to_string(promised) + " missing";
      }
      std::filesystem::remove_all(cut);
    }
    const std::string behind = ", " + std::to_string(states) + " states of the disk, " + variant.name;
    bench.none("events told to be written and missing" + behind, missing, first);
    bench.none("events twice" + behind, twice);
    bench.none("starts that cannot write" + behind, not_opened,
               std::to_string(torn_states) + " states had torn lines of batches that were not synced, " +
                   std::to_string(torn) + " in all");
  }
}

}  // namespace cairn::fault_bench
