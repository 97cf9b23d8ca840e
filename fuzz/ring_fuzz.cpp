// Whatever a crash ring holds, its reader ends, reads nothing outside it, and gives events that are one line of JSON in
// UTF-8 each.
//
// The first byte says how the others are taken: even, as the file itself; odd, as the beginning of a block whose sums
// and sizes are set right, so that what stands behind them is reached.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "platform/crc32c.hpp"
#include "ring/ring_reader.hpp"
#include "text/text_escape.hpp"

namespace {

using namespace cairn::detail;  // NOLINT(google-build-using-namespace): it is their test

constexpr std::uint64_t generation = 2;
constexpr std::size_t block_bytes = smallest_ring_block;

/// A ring of two blocks, of which the first is `contents`.
std::vector<std::byte> ring_of(const std::uint8_t* contents, std::size_t size) {
  std::vector<std::byte> bytes(RingHeader::bytes + 2 * block_bytes);
  RingHeader header;
  std::memcpy(header.magic, RingHeader::expected_magic, sizeof(header.magic));
  header.version = RingHeader::current_version;
  header.layout = ring_layout();
  header.endian = RingHeader::expected_endian;
  header.block_bytes = block_bytes;
  header.block_count = 2;
  header.crc = crc32c(&header, RingHeader::written_once);
  std::memcpy(bytes.data(), &header, sizeof(header));
  std::byte* const block = bytes.data() + RingHeader::bytes;
  std::memcpy(block, contents, std::min(size, block_bytes));
  RingBlock fields;
  std::memcpy(&fields, block, sizeof(fields));
  fields.magic = RingBlock::expected_magic;
  fields.generation = generation;
  fields.crc = crc32c(&fields.generation, sizeof(fields) - offsetof(RingBlock, generation));
  std::memcpy(block, &fields, sizeof(fields));
  for (std::size_t at = sizeof(RingBlock); at + sizeof(RingEntry) <= std::min(size, block_bytes);) {
    RingEntry entry;
    std::memcpy(&entry, block + at, sizeof(entry));
    const std::size_t entry_size = std::max<std::size_t>(sizeof(entry), entry.commit & 0xFFF8U);
    if (at + entry_size > block_bytes) break;
    entry.commit = generation << 32U | entry_size;
    entry.crc =
        crc32c(block + at + sizeof(entry), entry_size - sizeof(entry), ring_sum_begin(generation, at, entry.kind));
    std::memcpy(block + at, &entry, offsetof(RingEntry, kind));
    at += entry_size;
  }
  return bytes;
}

void require(bool holds, const std::string& line) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", line.c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::vector<std::byte> bytes;
  if (data[0] % 2 == 1) {
    bytes = ring_of(data + 1, size - 1);
  } else {
    const auto all = std::as_bytes(std::span(data + 1, size - 1));
    bytes.assign(all.begin(), all.end());
  }
  TscClock::Sample now;
  now.ticks = 1'000'000'000;
  now.steady = 500'000'000;
  now.wall = 1'700'000'000'000'000'000;
  cairn::detail::RingBytesInMemory in_memory(bytes);
  RingReader reader(in_memory, "", now, std::make_shared<RecoveredTypes>());
  require(reader.problem().empty() == (reader.status() == RingReader::Status::ok), reader.problem());
  RecoveredEvent event;
  std::uint64_t least = 0;
  std::size_t count = 0;
  while (reader.next(event)) {
    require(event.number >= least, "the numbers go back");
    least = event.number + 1;
    require(++count <= bytes.size() / sizeof(RingEvent), "more events than there is room for");
    const std::string line = to_clef(event.view());
    require(cairn::format::is_valid_utf8(line), line);
    require(line.find('\n') == std::string::npos, line);
    require(nlohmann::json::accept(line), line);
    require(event.view().level() <= cairn::Level::fatal, line);
#ifdef CAIRN_PLANTED_BUG
    const cairn::Level level = event.view().level();  // of those in the corpus all are one of these two
    require(level == cairn::Level::information || level == cairn::Level::error, line);
#endif
  }
  return 0;
}
