// Marked events, and the oracle that reads them back: each carries who logged it, its number there and a checksum. Read
// from the files of a run, they prove what became of every call: torn, twice, out of order, missing; the metrics prove
// the rest.
//
//   log_marked(log, thread, number, "payload");
//   EventOracle oracle;
//   oracle.read_folder(folder);
//   oracle.torn == 0 && oracle.missing(thread, logged) == 0;
#pragma once

#include <algorithm>
#include <array>
#include <cairn/all.hpp>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/unique_keys.hpp"

namespace cairn::testing {

/// CRC-32C of what an event says.
inline std::uint32_t mark_of(std::uint64_t producer, std::uint64_t sequence, std::string_view payload) noexcept {
  static constexpr auto table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t entry = i;
      for (int bit = 0; bit < 8; ++bit) entry = (entry >> 1U) ^ ((entry & 1U) != 0 ? 0x82F63B78U : 0U);
      entries[i] = entry;
    }
    return entries;
  }();
  std::uint32_t crc = ~0U;
  const auto byte = [&](std::uint64_t value) { crc = table[(crc ^ value) & 0xFFU] ^ (crc >> 8U); };
  for (unsigned i = 0; i < 8; ++i) byte(producer >> 8U * i);
  for (unsigned i = 0; i < 8; ++i) byte(sequence >> 8U * i);
  for (const char c : payload) byte(static_cast<unsigned char>(c));
  return ~crc;
}

/// The payload has no space in it.
inline void log_marked(const Logger& log, std::uint64_t producer, std::uint64_t sequence, std::string_view payload) {
  log.information("{Producer} {Sequence} {Crc} {Payload}", producer, sequence, mark_of(producer, sequence, payload),
                  payload);
}

class EventOracle {
 public:
  /// One thread's events, as they were read.
  struct Producer {
    std::vector<bool> seen;   // by number
    std::uint64_t count = 0;  // of them
    /// The first numbers without a gap, and nothing else.
    [[nodiscard]] bool is_prefix() const { return count == seen.size(); }
  };

  std::uint64_t lines = 0;
  std::uint64_t events = 0;
  std::uint64_t torn = 0;          // lines that are no event, or not the one that was logged
  std::uint64_t twice = 0;         // of one number
  std::uint64_t out_of_order = 0;  // behind one of its producer that was logged later
  std::uint64_t self_events = 0;   // Cairn's own
  std::uint64_t announced = 0;     // events that those say were dropped
  std::map<std::uint64_t, Producer> producers;
  std::vector<std::string> faults;  // the first ones, in words

  /// Every file of the folder but locks and lists of files, in the order they were written: `app.log` before
  /// `app_001.log`, or behind it, `active_last`, where the file being written keeps its name.
  void read_folder(const std::string& folder, bool active_last = false) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string name = entry.path().filename();
      if (entry.is_regular_file() && !name.ends_with(".lock") && name.find(".files") == std::string::npos)
        paths.push_back(entry.path());
    }
    std::ranges::sort(paths, {}, [](const auto& path) { return std::pair(path.stem().string().size(), path.stem()); });
    if (active_last && !paths.empty()) std::ranges::rotate(paths, paths.begin() + 1);
    for (const auto& path : paths) read_file(path);
  }
  void read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::string line;
    while (std::getline(in, line)) {
      if (in.eof()) {
        ++lines;
        tear("no line's end", line);
      } else {
        read_line(line);
      }
    }
  }
  /// One event: CLEF, or text of the layout `{Message}`.
  void read_line(std::string_view line) {
    ++lines;
    if (line.starts_with('{')) {
      read_clef(line);
    } else {
      read_text(line);
    }
  }

  /// The same of what a sink was handed; without the time that the files take.
  void read_event(const Event& event) {
    ++lines;
    if (event.source() == "Cairn") {
      ++self_events;
      announced += event.property("DroppedCount").value_or(Value()).as_uint64().value_or(0);
      return;
    }
    const auto number = [&](std::string_view name) { return event.property(name).value_or(Value()).as_uint64(); };
    const auto producer = number("Producer");
    const auto sequence = number("Sequence");
    const auto crc = number("Crc");
    if (!producer || !sequence || !crc) return tear("a property is missing", event.message_template());
    take(*producer, *sequence, *crc, event.property("Payload").value_or(Value()).as_string().value_or(""),
         event.message_template());
  }

  /// Of the first `logged` of a producer, those that were not read.
  [[nodiscard]] std::uint64_t missing(std::uint64_t producer, std::uint64_t logged) const {
    const auto found = producers.find(producer);
    if (found == producers.end()) return logged;
    std::uint64_t there = 0;
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(logged, found->second.seen.size()); ++i)
      there += found->second.seen[i] ? 1U : 0U;
    return logged - there;
  }

 private:
  /// The members of a flat event that count, and no object with a key twice.
  class Reader final : public UniqueKeys {
   public:
    std::optional<std::uint64_t> producer, sequence, crc, dropped;
    std::string payload, source;
    bool has_time = false;
    bool key(string_t& name) override {
      key_ = name;
      return UniqueKeys::key(name);
    }
    bool number_unsigned(number_unsigned_t value) override {
      if (key_ == "Producer") producer = value;
      if (key_ == "Sequence") sequence = value;
      if (key_ == "Crc") crc = value;
      if (key_ == "DroppedCount") dropped = value;
      return true;
    }
    bool string(string_t& value) override {
      if (key_ == "@t") has_time = true;
      if (key_ == "Payload") payload = value;
      if (key_ == "SourceContext") source = value;
      return true;
    }

   private:
    std::string key_;
  };

  void read_clef(std::string_view line) {
    Reader reader;
    if (!nlohmann::json::sax_parse(line, &reader)) return tear(reader.fault, line);
    if (!reader.has_time) return tear("no @t", line);
    if (reader.source == "Cairn") {
      ++self_events;
      announced += reader.dropped.value_or(0);
      return;
    }
    if (!reader.producer || !reader.sequence || !reader.crc) return tear("a property is missing", line);
    take(*reader.producer, *reader.sequence, *reader.crc, reader.payload, line);
  }

  void read_text(std::string_view line) {
    std::uint64_t numbers[3]{};
    std::string_view rest = line;
    for (std::uint64_t& number : numbers) {
      const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
      if (error != std::errc() || end == rest.data() + rest.size() || *end != ' ') {
        constexpr std::string_view of_cairn = " events dropped";
        if (const auto at = line.find(of_cairn); at != line.npos) {
          ++self_events;
          announced += numbers[0];
          return;
        }
        return tear("no marked event", line);
      }
      rest.remove_prefix(static_cast<std::size_t>(end - rest.data()) + 1);
    }
    take(numbers[0], numbers[1], numbers[2], rest, line);
  }

  void take(std::uint64_t producer, std::uint64_t sequence, std::uint64_t crc, std::string_view payload,
            std::string_view line) {
    if (crc != mark_of(producer, sequence, payload)) return tear("another checksum", line);
    ++events;
    Producer& from = producers[producer];
    if (sequence < from.seen.size()) {
      if (from.seen[sequence]) {
        ++twice;
        note("twice", line);
        return;
      }
      ++out_of_order;
      note("out of order", line);
    } else {
      from.seen.resize(sequence + 1);
    }
    from.seen[sequence] = true;
    ++from.count;
  }

  void tear(std::string_view why, std::string_view line) {
    ++torn;
    note(why, line);
  }
  void note(std::string_view why, std::string_view line) {
    constexpr std::size_t enough = 5;
    if (faults.size() < enough) faults.push_back(std::string(why) + ": " + std::string(line.substr(0, 200)));
  }
};

/// Reads what it takes, all of it; to be looked at when nobody is inside any more.
class OracleSink final : public Sink {
 public:
  EmitResult emit(std::span<const Event> events) override {
    for (const Event& event : events) oracle.read_event(event);
    return EmitResult::all(events);
  }
  EventOracle oracle;
};

/// What is wrong with the sums of a snapshot, both levels; or nothing.
inline std::string ledger_fault(const MetricsSnapshot& now) {
  const LoggerCounts& logger = now.logger;
  const std::uint64_t ends = logger.dispatched + logger.filtered + logger.dropped_total() + logger.in_lane;
  if (logger.captured != ends)
    return "captured " + std::to_string(logger.captured) + ", accounted for " + std::to_string(ends);
  for (const SinkCounts& sink : now.sinks) {
    const std::uint64_t resolved =
        sink.emitted + sink.diverted + sink.dropped_total() + sink.failed_total() + sink.pending;
    if (sink.accepted != resolved)
      return sink.name + ": accepted " + std::to_string(sink.accepted) + ", accounted for " + std::to_string(resolved);
  }
  return {};
}

/// The same of what `to_json()` gave, read by another reader.
inline std::string ledger_fault(const std::string& json) {
  UniqueKeys keys;
  if (!nlohmann::json::sax_parse(json, &keys)) return keys.fault;
  const auto now = nlohmann::json::parse(json);
  const auto total = [](const nlohmann::json& reasons) {
    std::uint64_t sum = 0;
    for (const auto& count : reasons) sum += count.get<std::uint64_t>();
    return sum;
  };
  const auto number = [](const nlohmann::json& of, const char* key) { return of.at(key).get<std::uint64_t>(); };
  const auto& logger = now.at("logger");
  if (number(logger, "captured") != number(logger, "dispatched") + number(logger, "filtered") +
                                        total(logger.at("dropped")) + number(logger, "in_lane"))
    return "logger: " + logger.dump();
  for (const auto& sink : now.at("sinks")) {
    if (number(sink, "accepted") != number(sink, "emitted") + number(sink, "diverted") + total(sink.at("dropped")) +
                                        total(sink.at("failed")) + number(sink, "pending"))
      return "sink: " + sink.dump();
  }
  return {};
}

}  // namespace cairn::testing
