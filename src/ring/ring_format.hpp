// What a crash ring looks like in its file. One file belongs to one thread at a time, which alone writes its blocks.
//
//   header (4096 bytes)   what the file is; how far its events are acknowledged
//   blocks                used in turn; each stands for itself: whatever an event needs (its call site, its values'
//                         types, its logger's properties, its context) is written in the same block before it, so that
//                         a block can be overwritten and no event of another one is harmed
//
// A block is a header and entries, each a multiple of 8 bytes. An entry counts once its `commit` is stored, after all
// else; before that, the word behind the entry is made 0, so that what an older use of the block left is never read.
// Addresses of call sites and types stand in a ring as keys, and are never followed. Everything is little-endian, as
// the processor has it; the header says so, and which version and which layout this is.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cairn/detail/record.hpp"
#include "cairn/detail/value_type.hpp"
#include "capture/property_block.hpp"
#include "platform/crc32c.hpp"
#include "platform/tsc_clock.hpp"

namespace cairn::detail {

struct RingHeader {
  static constexpr char expected_magic[8] = {'C', 'A', 'I', 'R', 'N', 'R', 'N', 'G'};
  static constexpr std::uint32_t current_version = 2;
  static constexpr std::uint32_t expected_endian = 0x01020304;
  static constexpr std::size_t bytes = 4096;  // of the file, for this

  // Written once.
  char magic[8]{};
  std::uint32_t version = 0;
  std::uint32_t layout = 0;  // ring_layout() of who wrote it
  std::uint32_t endian = 0;
  std::uint32_t crc = 0;  // of this part, with 0 here
  char boot_id[40]{};     // of the kernel's run; ended by a NUL
  std::int64_t started = 0;
  std::uint64_t process = 0;
  std::uint64_t block_bytes = 0;
  std::uint64_t block_count = 0;

  // Written while the ring is in use, each whole.
  std::uint64_t acknowledged = 0;  // events with a lower number are done with
  std::uint64_t attempts = 0;     // processes that began to recover it since that last grew, and did not come to an end
  std::uint64_t overwritten = 0;  // events that were not, when their block was used again
  std::uint64_t left_out = 0;     // events that no block had room for

  static constexpr std::size_t written_once = 96;  // bytes
};
static_assert(offsetof(RingHeader, acknowledged) == RingHeader::written_once &&
              offsetof(RingHeader, attempts) == offsetof(RingHeader, acknowledged) + sizeof(std::uint64_t));

struct RingBlock {
  static constexpr std::uint32_t expected_magic = 0x4B4C4252;  // "RBLK"
  std::uint32_t magic = 0;
  std::uint32_t crc = 0;         // of what follows
  std::uint64_t generation = 0;  // one more than the block before; 0: not in use. Stored last
  std::uint64_t first = 0;       // the number of its first event
  TscClock::Sample opened{};     // when; times in ticks are told by it
};
static_assert(sizeof(RingBlock) == 48);

struct RingEntry {
  // Far from one another, so that no single damaged bit makes one of another.
  enum class Kind : std::uint32_t {
    type = 0x45505954,     // "TYPE"
    site = 0x45544953,     // "SITE"
    logger = 0x52474F4C,   // "LOGR"
    context = 0x54585443,  // "CTXT"
    event = 0x544E5645,    // "EVNT"
  };
  std::uint64_t commit = 0;  // low half: the entry's size; high half: the block's generation. Stored last; 0: none yet
  std::uint32_t crc = 0;     // of what follows the kind, begun with ring_sum_begin()
  Kind kind{};
};
static_assert(sizeof(RingEntry) == 16);

/// kind `type`. Name (length 4, bytes), members (key 8, name), enumerators (value 8, name) follow.
struct RingType {
  std::uint64_t key = 0;
  std::uint64_t element = 0;  // keys; 0: none
  std::uint64_t mapped_by = 0;
  std::int64_t numerator = 1;
  std::int64_t denominator = 1;
  std::int64_t zero = 0;
  std::uint32_t member_count = 0;
  std::uint32_t enumerator_count = 0;
  ValueKind kind{};
  std::uint8_t is_unsigned = 0;
  std::uint8_t floating = 0;  // 1: double, 2: it was a float
  std::uint8_t unused[5]{};
};
static_assert(sizeof(RingType) == 64);

/// kind `site`. The keys of the types (8 each) follow, then text, expressions, file, function (length 4, bytes).
struct RingSite {
  std::uint32_t number = 0;  // in this block, from 1
  std::uint32_t type_count = 0;
  std::uint32_t line = 0;
  std::uint32_t is_dynamic = 0;  // 1: the text stands in each event
};

/// kinds `logger` and `context`. The entries of a PropertyBlock follow, then its trace ids.
struct RingProperties {
  std::uint32_t number = 0;  // of the logger, or of the context, in this block, from 1
  std::uint32_t size = 0;
  std::uint32_t trace_size = 0;  // 0, or PropertyBlock::trace_size
  std::uint32_t unused = 0;
};

/// kind `event`. What enrichers added at its capture follows (a PropertyBlock's entries), then the record behind its
/// fixed headers: [dynamic: the template's text], [exception], arguments.
struct RingEvent {
  std::uint64_t number = 0;  // of the event in this ring, from 0
  std::int64_t time = 0;     // as the flags say
  std::uint32_t flags = 0;   // of the RecordHeader: level, has_exception, truncated, tsc_time
  std::uint32_t site = 0;
  std::uint32_t logger = 0;  // 0: one without properties
  std::uint32_t enrichment_bytes = 0;
  std::uint32_t record_bytes = 0;
  std::uint32_t context = 0;  // 0: before any in this block. Always the latest: another means that one is damaged
};
static_assert(sizeof(RingEvent) == 40);

/// What an entry's sum begins with: its kind, and where it stands; so one that got to another place does not hold.
[[nodiscard]] inline std::uint32_t ring_sum_begin(std::uint64_t generation, std::uint64_t place,
                                                  RingEntry::Kind kind) noexcept {
  return crc32c(&generation, sizeof(generation)) ^ static_cast<std::uint32_t>(place) ^ static_cast<std::uint32_t>(kind);
}

/// Changes with anything above, and with how values are kept.
[[nodiscard]] constexpr std::uint32_t ring_layout() noexcept {
  std::uint32_t hash = 2166136261U;
  for (const std::size_t part :
       {sizeof(RingHeader), sizeof(RingBlock), sizeof(RingEntry), sizeof(RingType), sizeof(RingSite),
        sizeof(RingProperties), sizeof(RingEvent), sizeof(RecordHeader), sizeof(ContainerHeader), sizeof(PropertyEntry),
        PropertyBlock::trace_size, sizeof(long double), static_cast<std::size_t>(ValueKind::error),
        static_cast<std::size_t>(RecordHeader::has_exception), static_cast<std::size_t>(RecordHeader::tsc_time)}) {
    hash = (hash ^ static_cast<std::uint32_t>(part)) * 16777619U;
  }
  return hash;
}

inline constexpr std::size_t smallest_ring_block = 16 * 1024;
inline constexpr std::size_t largest_ring_block = 128U << 20U;
inline constexpr std::size_t most_ring_blocks = 4096;
inline constexpr std::size_t ring_blocks = 8;  // of a ring we make

}  // namespace cairn::detail
