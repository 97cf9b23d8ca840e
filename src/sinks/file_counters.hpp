// What a log file counts beside its lines. The names are those of the metrics: docs/metrics.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "cairn/sink_counters.hpp"

namespace cairn::detail {

enum class FileCount : std::size_t {
  files_created,
  rolls,
  roll_errors,        // rolls that failed; writing went on in the old file
  reopened,           // the file was gone, moved or asked to be reopened
  torn_bytes,         // of torn lines found at the end of a file and dealt with
  external_truncate,  // somebody else made the file shorter
  durability_lost,    // a sync failed: what the disk has of that file is unknown
  files_deleted,
  retention_errors,
  files_compressed,
  compression_errors,
  buffered_events_lost  // counted as written while in the buffer, which could not be written at the end
};

/// Safe from every thread.
class FileCounters {
 public:
  FileCounters()
      : counters_(SinkCounters::named({"files_created", "rolls", "roll_errors", "reopened", "torn_bytes",
                                       "external_truncate", "durability_lost", "files_deleted", "retention_errors",
                                       "files_compressed", "compression_errors", "buffered_events_lost"})) {}
  void add(FileCount what, std::uint64_t by = 1) noexcept { counters_->add(static_cast<std::size_t>(what), by); }
  [[nodiscard]] std::uint64_t value(FileCount what) const noexcept {
    return counters_->value(static_cast<std::size_t>(what));
  }
  [[nodiscard]] const std::shared_ptr<SinkCounters>& shared() const noexcept { return counters_; }

 private:
  std::shared_ptr<SinkCounters> counters_;
};

}  // namespace cairn::detail
