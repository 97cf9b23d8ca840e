// What dead processes left in their rings, in the order of time.
//
// Whoever recovers claims a ring by its lock, then by giving it another name, and removes it once what was in it is
// delivered. Killed at any moment, it leaves rings that the next one claims; some events may then come again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ring/ring_file.hpp"
#include "ring/ring_reader.hpp"

namespace cairn::detail {

struct RecoveryReport {
  std::uint64_t rings = 0;  // that were read to their end
  std::uint64_t events = 0;
  std::uint64_t damaged = 0;      // entries
  std::uint64_t overwritten = 0;  // events that had been, before they were delivered
  std::uint64_t left_out = 0;
  std::uint64_t in_use = 0;             // rings of processes that live
  std::vector<std::string> left_alone;  // rings that are not ours to recover: "name: why"
};

class RingRecovery {
 public:
  /// `keep`: nothing is renamed, acknowledged or removed.
  RingRecovery(std::string boot_id, bool keep) : boot_id_(std::move(boot_id)), keep_(keep) {}

  void add_folder(const std::shared_ptr<RingFolder>& folder);
  void add(const std::shared_ptr<RingFolder>& folder, const std::string& name);

  /// Gives every event to `take`. After each `part` of them `settle(false)` shall see those delivered that came before
  /// that part, so that one is delivered while the next is read; at the end settle(true) all. Where it returns false,
  /// nothing more is recovered: what was not delivered stays for the next start.
  /// Who takes them says what is done with: acknowledge(), or the rings of progress(), with their numbers.
  [[nodiscard]] RecoveryReport run(const std::function<void(RecoveredEvent&)>& take,
                                   const std::function<bool(bool)>& settle, std::size_t part);
  /// Calls `f(ring, number)` where events below `number` of a ring were taken since it was last asked.
  template <class F>
  void progress(F&& f) {
    for (const auto& source : sources_) {
      if (source->taken == source->told) continue;
      source->told = source->taken;
      f(std::shared_ptr<AcknowledgedRing>(source->ring), source->taken);
    }
  }
  /// All that was taken is delivered.
  void acknowledge() noexcept {
    for (const auto& source : sources_) {
      if (!keep_) source->ring->acknowledge(source->taken);
    }
  }
  /// What the types of values live in.
  [[nodiscard]] const std::shared_ptr<RecoveredTypes>& types(std::size_t ring) const { return sources_[ring]->types; }
  [[nodiscard]] std::size_t count() const noexcept { return sources_.size(); }

 private:
  struct Source {
    std::shared_ptr<LeftRing> ring;
    std::shared_ptr<RecoveredTypes> types = std::make_shared<RecoveredTypes>();
    std::unique_ptr<RingReader> reader;
    RecoveredEvent event;  // the next
    bool has_event = false;
    std::uint64_t taken = 0;  // events below it were given to `take`
    std::uint64_t told = 0;   // the same by progress()
  };

  std::string boot_id_;
  bool keep_;
  std::vector<std::unique_ptr<Source>> sources_;
  RecoveryReport report_;
};

}  // namespace cairn::detail
