// The side of a crash ring that reads what a process left, event by event in the order in which they were logged.
//
// The bytes are hostile: a ring may be damaged, or made by somebody else. Every length, offset, count and sum is
// checked before it is used; what does not hold costs the events that need it, counted, and nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/detail/capture_writer.hpp"
#include "cairn/event.hpp"
#include "capture/property_block.hpp"
#include "platform/tsc_clock.hpp"
#include "ring/recovered_types.hpp"
#include "ring/ring_bytes.hpp"
#include "ring/ring_format.hpp"
#include "template/bound_template.hpp"

namespace cairn::detail {

/// What another process logged. Types of values and the source location live as long as the RecoveredTypes of the
/// reader; all else with this object.
struct RecoveredEvent {
  std::uint64_t number = 0;           // in its ring
  std::int64_t time = 0;              // nanoseconds since 1970
  std::vector<std::uint64_t> record;  // as a lane's, in the macro form without a site
  std::shared_ptr<const BoundTemplate> bound;
  std::shared_ptr<const PropertyBlock> context;  // or null
  std::shared_ptr<const PropertyBlock> logger;   // or null
  std::shared_ptr<const PropertyBlock> extras;   // what enrichers added at its capture, and `Recovered`

  [[nodiscard]] const RecordHeader& header() const noexcept {
    return *reinterpret_cast<const RecordHeader*>(record.data());
  }
  /// Valid as long as this object, and unchanged.
  [[nodiscard]] Event view() const noexcept { return {header(), *bound, context.get(), logger.get(), extras.get()}; }
};

class RingReader {
 public:
  enum class Status : std::uint8_t {
    ok,
    unused,         // nothing was ever written to it
    not_a_ring,     // it does not say it is one, or is damaged where it does
    other_version,  // of another version of Cairn, or made for another processor
    other_boot,     // of before the computer was started
  };

  /// `bytes`, which are read block by block, must live as long as this object; `boot_id` of now, `now` to tell times
  /// by. `types` gets what it finds. Throws std::bad_alloc, as next() does.
  RingReader(RingBytes& bytes, std::string_view boot_id, const TscClock::Sample& now,
             std::shared_ptr<RecoveredTypes> types);

  [[nodiscard]] Status status() const noexcept { return status_; }
  /// What the status is, in words; empty: ok.
  [[nodiscard]] std::string problem() const;
  /// The next event that was not acknowledged. False: there is none.
  [[nodiscard]] bool next(RecoveredEvent& event);

  // Of what was read so far:
  [[nodiscard]] std::uint64_t damaged() const noexcept { return damaged_; }  // entries that could not be used
  // As the ring says it:
  [[nodiscard]] std::uint64_t overwritten() const noexcept { return header_.overwritten; }
  [[nodiscard]] std::uint64_t left_out() const noexcept { return header_.left_out; }
  [[nodiscard]] std::uint64_t attempts() const noexcept { return header_.attempts; }
  [[nodiscard]] std::uint64_t process() const noexcept { return header_.process; }

 private:
  struct Block {
    RingBlock header;
    std::size_t at = 0;  // in the file
    std::size_t end = 0;
  };
  struct Site {
    std::span<const std::byte> definition;
    bool is_dynamic = false;
    std::shared_ptr<const BoundTemplate> bound;  // once it was needed; of a dynamic one the latest
    std::string bound_text;                      // of a dynamic one
    bool unusable = false;
    std::optional<SourcePlace> place;
  };

  [[nodiscard]] Status check_header(std::string_view boot_id);
  /// Is there nothing but zeros from there on?
  [[nodiscard]] bool empty_from(std::size_t at);
  void find_blocks();
  [[nodiscard]] bool next_block();
  /// Gives an entry of the block and moves past it; false: there is no further one.
  [[nodiscard]] bool next_entry(RingEntry::Kind& kind, std::span<const std::byte>& body);
  void take_definition(RingEntry::Kind kind, std::span<const std::byte> body);
  [[nodiscard]] std::shared_ptr<const PropertyBlock> take_properties(ByteCursor& in, const RingProperties& fields,
                                                                     std::size_t size);
  [[nodiscard]] bool take_event(std::span<const std::byte> body, RecoveredEvent& event);
  /// Null: it cannot be made.
  [[nodiscard]] const std::shared_ptr<const BoundTemplate>& template_of(Site& site, std::string_view dynamic_text);
  [[nodiscard]] std::int64_t wall_time(std::uint64_t ticks) const noexcept;

  RingBytes& bytes_;
  TscClock::Sample now_;
  std::shared_ptr<RecoveredTypes> types_;
  RingHeader header_{};
  Status status_;
  std::vector<Block> blocks_;  // oldest first
  std::size_t block_ = 0;      // the next one
  std::uint64_t damaged_ = 0;
  std::uint64_t least_ = 0;  // number of the next event, at least
  CaptureBuffer rewritten_;
  std::shared_ptr<const PropertyBlock> no_extras_;  // but `Recovered`

  // Of the block that is being read:
  std::span<const std::byte> data_;
  std::size_t at_ = 0;   // in it
  std::size_t end_ = 0;  // 0: none is
  RingBlock open_{};
  double rate_ = 0;  // nanoseconds a tick
  std::deque<Site> sites_;
  struct Numbered {
    std::uint32_t number = 0;
    std::size_t site = 0;                           // in sites_
    std::shared_ptr<const PropertyBlock> logger{};  // else it is a site
  };
  std::vector<Numbered> numbered_;  // ascending
  std::shared_ptr<const PropertyBlock> context_;
  std::uint32_t context_number_ = 0;
};

}  // namespace cairn::detail
