// How a sink is fed in the background: `with_queue(options)`.
//
//   config.write_to_file("app.clef").with_queue({.max_size = 65536, .overflow = cairn::Overflow::block});
//
// The caller copies its arguments and returns; a thread of the sink's own does the rest. A queue is bounded by events
// and, with with_memory_limit(), by bytes: where there is no room in either, `overflow` says what happens.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "cairn/level.hpp"

namespace cairn {

/// What happens to events when the queue is full.
enum class Overflow : std::uint8_t {
  drop_oldest,  // the oldest in the queue goes, one at a time, counted as `queue_full`
  drop_newest,  // what comes is dropped, counted as `queue_full`
  block  // the caller waits until there is room, `block_timeout` at most. Cairn's own threads never wait, such as
         // one that hands on to a fallback: there it is as `drop_newest`
};

/// What `on_back_pressure` is told.
struct QueuePressure {
  std::string_view sink;
  std::size_t depth = 0;     // events in the queue when it was noticed
  std::size_t max_size = 0;  // of the queue
};

/// What `on_slow` is told.
struct SlowSink {
  std::string_view sink;
  std::chrono::nanoseconds latency{};  // of the oldest event of a batch; of a sink that has not returned yet: so far
};

/// Callbacks are called from a thread of Cairn's that neither logs nor delivers, with no lock held, each at most once a
/// second. They may log; what they throw is dropped. A time of a year or more, such as `nanoseconds::max()`, is for
/// ever.
struct QueueOptions {
  static constexpr std::size_t largest = 16'777'216;

  std::size_t max_size = 8192;  // events, from 1 to `largest`
  std::size_t batch_size =
      512;  // events the sink gets at a time at most, from 1 to max_size; 512 also where that is less
  std::chrono::nanoseconds flush_interval = std::chrono::milliseconds(100);  // the longest an event waits for `flush`
  Overflow overflow = Overflow::drop_oldest;
  std::chrono::nanoseconds block_timeout = std::chrono::seconds(1);  // then the event is rejected, `block_timeout`
  /// Events of this level and above have an eighth of the queue to themselves: lower ones never push them out. Within
  /// each of the two classes the policy holds exactly. With `block`, lower ones wait for the other seven eighths, and
  /// these for any place. With `drop_newest` and with_memory_limit(), an eighth of the bytes is theirs alone as well.
  std::optional<Level> protect_level{};
  double back_pressure_threshold = 0.8;  // of max_size, from which `on_back_pressure` is told; above 0, to 1
  std::function<void(const QueuePressure&)> on_back_pressure{};
  std::function<void(std::string_view sink, std::string_view error)> on_error{};  // a batch failed, or a flush
  std::function<void(const SlowSink&)> on_slow{};  // from the call to the end of `emit` it took `slow_after` or longer
  std::chrono::nanoseconds slow_after = std::chrono::seconds(1);  // above 0
  /// Events of this queue went for want of memory, its own limit's or the process's: how many since it was last told.
  std::function<void(std::string_view sink, std::uint64_t dropped)> on_memory_exceeded{};
};

}  // namespace cairn
