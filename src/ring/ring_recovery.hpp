// What dead processes left in their rings, in the order of time.
//
// Whoever recovers claims a ring by its lock, then by giving it another name, and removes it once what was in it is
// delivered. Killed at any moment, it leaves rings that the next one claims; some events may then come again. A ring
// with an event on which who delivers it crashes would end every start: each counts itself in the ring before it takes
// the first event out of it, and anew from 1 with what it acknowledges.
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
  std::vector<std::string> set_aside;   // names of rings that were not recovered often enough
};

class RingRecovery {
 public:
  enum class Use : std::uint8_t {
    start,  // of a program, which may crash on what it delivers: rings with which some did are set aside
    tool,   // those, too
    look,   // the same; nothing is renamed, acknowledged or removed
  };
  /// So many processes in a row may come to no end with an event of a ring: as many as may well be killed for other
  /// reasons. One that came to its end, with events that sinks refused, counts for several: it says what is wrong.
  static constexpr std::uint64_t most_attempts = 16;
  static constexpr std::uint64_t of_a_refusal = 6;

  RingRecovery(std::string boot_id, Use use)
      : boot_id_(std::move(boot_id)), starts_(use == Use::start), keep_(use == Use::look) {}

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
  /// This process did come to an end, though what was taken is not all delivered.
  void forget_attempt() noexcept {
    for (const auto& source : sources_) {
      if (source->tried) source->ring->note_attempts(0);
    }
  }
  /// The same, and sinks refused some of it.
  void note_refusal() noexcept {
    for (const auto& source : sources_) {
      if (source->tried) source->ring->add_attempts(of_a_refusal - 1);
    }
  }
  /// What the types of values live in.
  [[nodiscard]] const std::shared_ptr<RecoveredTypes>& types(std::size_t ring) const { return sources_[ring]->types; }
  [[nodiscard]] std::size_t count() const noexcept { return sources_.size(); }

 private:
  void open(const std::shared_ptr<RingFolder>& folder, const std::string& name);
  struct Source {
    std::shared_ptr<LeftRing> ring;
    std::shared_ptr<RecoveredTypes> types = std::make_shared<RecoveredTypes>();
    std::unique_ptr<RingReader> reader;
    RecoveredEvent event;  // the next
    bool has_event = false;
    bool tried = false;       // this attempt is counted
    std::uint64_t taken = 0;  // events below it were given to `take`
    std::uint64_t told = 0;   // the same by progress()
  };

  std::string boot_id_;
  bool starts_;
  bool keep_;
  std::vector<std::unique_ptr<Source>> sources_;
  RecoveryReport report_;
};

}  // namespace cairn::detail
