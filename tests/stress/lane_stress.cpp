// The lane on real cores: one thread writes as fast as it can, one reads and stalls at random moments, inside a block
// and outside, until it has been lapped. Every byte of every record taken is checked, and every record is accounted
// for.
//
//   lane_stress [RECORDS]
//
// RECORDS in all, a thousand million if not said. It ends with 1 at the first thing that is wrong, and when drops,
// orphans or wraps were too few to show anything.
#include <atomic>
#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <thread>

#include "lane/lane.hpp"
#include "lane/lane_reader.hpp"

namespace {
using namespace cairn::detail;

[[noreturn]] void fail(const char* what, std::uint64_t number) {
  std::printf("WRONG: %s, at event %" PRIu64 "\n", what, number);
  std::fflush(stdout);
  std::_Exit(1);
}

constexpr std::uint64_t mix(std::uint64_t value) {
  value *= 0x9E3779B97F4A7C15u;
  return value ^ value >> 29;
}

// A record is made from its number alone: its size, and every word of it.
struct Head {
  std::uint32_t word;
  std::uint32_t check;
  std::uint64_t number;
};
constexpr std::size_t words_after_head(std::uint64_t hash) { return hash % 13; }  // 16 to 112 bytes
constexpr std::uint64_t content(std::uint64_t hash, std::size_t index) { return hash + index * 0x0101010101010101u; }

std::size_t bytes_of(std::uint64_t number) { return sizeof(Head) + 8 * words_after_head(mix(number)); }

/// All but the first word, which publishes.
void fill(std::byte* to, std::uint64_t number) {
  const std::uint64_t hash = mix(number);
  const auto check = static_cast<std::uint32_t>(hash >> 32);
  std::memcpy(to + offsetof(Head, check), &check, sizeof(check));
  std::memcpy(to + offsetof(Head, number), &number, sizeof(number));
  const std::size_t words = words_after_head(hash);
  for (std::size_t i = 0; i < words; ++i) {
    const std::uint64_t word = content(hash, i);
    std::memcpy(to + sizeof(Head) + 8 * i, &word, sizeof(word));
  }
}

void check_record(const std::byte* record, std::uint64_t number) {
  const std::uint64_t hash = mix(number);
  Head head;
  std::memcpy(&head, record, sizeof(head));
  if (head.number != number) fail("the record is another event's", number);
  if (head.word != RecordWord::make(bytes_of(number))) fail("the size", number);
  if (head.check != static_cast<std::uint32_t>(hash >> 32)) fail("the check word", number);
  const std::size_t words = words_after_head(hash);
  for (std::size_t i = 0; i < words; ++i) {
    std::uint64_t word;
    std::memcpy(&word, record + sizeof(Head) + 8 * i, sizeof(word));
    if (word != content(hash, i)) fail("a byte of the content", number);
  }
}

constexpr std::size_t largest = sizeof(Head) + 8 * 12;

struct Context {
  std::uint32_t word = RecordWord::make(sizeof(Context), RecordWord::side_entry);
  SideEntryKind kind = SideEntryKind::context;
  std::uint64_t first_event = 0;
};
constexpr std::int64_t base_time_of(std::uint64_t first_event) { return static_cast<std::int64_t>(mix(first_event)); }

std::atomic<std::uint64_t> jumbos_ended{0};
constexpr std::uint64_t jumbo_every = 4096;

struct StressJumbo : LaneJumbo {
  alignas(8) std::byte bytes[largest];
};
LaneJumbo* make_jumbo(std::uint64_t number) {
  auto* const jumbo = new StressJumbo;
  const std::uint32_t word = RecordWord::make(bytes_of(number));
  std::memcpy(jumbo->bytes, &word, sizeof(word));
  fill(jumbo->bytes, number);
  jumbo->record = jumbo->bytes;
  jumbo->destroy = [](LaneJumbo* self) noexcept {
    delete static_cast<StressJumbo*>(self);
    jumbos_ended.fetch_add(1, std::memory_order_relaxed);  // a count, compared when the threads are joined
  };
  return jumbo;
}

struct Scene {
  const char* name;
  LaneShape shape;
  bool waits;      // the producer waits for the reader rather than drop
  unsigned share;  // of the records, in hundredths
};

struct Counts {
  std::uint64_t taken = 0;
  std::uint64_t overrun = 0;
  std::uint64_t drops = 0;  // blocks of which the reader had nothing
  std::uint64_t orphans = 0;
  std::uint64_t wraps = 0;
};

class Run {
 public:
  Run(const Scene& scene, std::uint64_t records)
      : scene_(scene),
        records_(records),
        events_of_lap_(scene.shape.slots * scene.shape.room() / mean_bytes),
        region_(static_cast<std::byte*>(::operator new (scene.shape.region_bytes(), std::align_val_t{64}))),
        lane_(std::make_unique<Lane>(scene.shape, region_.get())),
        reader_(*lane_) {}

  Counts go() {
    jumbos_ended = 0;
    std::thread producer([this] { produce(); });
    consume();
    producer.join();
    const std::uint64_t captured = lane_->captured();
    if (captured != records_) fail("not all was captured", captured);
    if (reader_.taken() + reader_.overrun() != captured) fail("taken + overrun is not captured", reader_.taken());
    if (scene_.waits && reader_.overrun() != 0) fail("an event was lost though the producer waited", 0);
    lane_.reset();
    if (jumbos_ended != jumbos_made_) fail("jumbos made and ended differ", jumbos_made_);
    return {reader_.taken(), reader_.overrun(), blocks_opened_ - blocks_seen_, reader_.orphans(), reader_.wraps()};
  }

 private:
  static constexpr std::size_t mean_bytes = 64;
  struct Free {
    void operator()(std::byte* at) const { ::operator delete (at, std::align_val_t{64}); }
  };

  // ---- the producer

  void open_block(std::uint64_t number) {
    while (scene_.waits && lane_->next_block_drops()) std::this_thread::yield();
    Context context;
    context.first_event = number;
    lane_->open_block(base_time_of(number), reinterpret_cast<const std::byte*>(&context), sizeof(context));
    ++blocks_opened_;
  }

  void produce() {
    alignas(8) std::byte scratch[largest];
    std::uint64_t yield_at = 0;
    for (std::uint64_t number = 0; number < records_; ++number) {
      if (number == yield_at) {  // where there is one core for both, the reader runs now and then
        std::this_thread::yield();
        yield_at = number + 1 + mix(number) % (16 * events_of_lap_);
      }
      const std::size_t bytes = bytes_of(number);
      const std::uint32_t word = RecordWord::make(bytes);
      if (number % jumbo_every == jumbo_every - 1) {
        LaneJumbo* const jumbo = make_jumbo(number);
        ++jumbos_made_;
        while (!lane_->append_jumbo(jumbo)) open_block(number);
      } else if (number % 4 == 0) {
        std::memcpy(scratch, &word, sizeof(word));
        fill(scratch, number);
        while (!lane_->append(scratch, bytes)) open_block(number);
      } else {  // by hand, as a log call does
        while (bytes > static_cast<std::size_t>(lane_->end() - lane_->position())) open_block(number);
        std::byte* const at = lane_->position();
        LaneTraits::store_word(at + bytes, RecordWord::none, LaneOrders::next_word);
        fill(at, number);
        LaneTraits::store_word(at, word, LaneOrders::record_publish);
        const std::uint64_t cursor = lane_->cursor_word()->load(std::memory_order_relaxed);
        lane_->cursor_word()->store(cursor + LaneCursor::step(bytes, 1), LaneOrders::captured_write);
      }
    }
    lane_->close();
  }

  // ---- the reader

  void consume() {
    std::uint64_t stall_at = 0;
    for (bool closed = false;;) {
      const std::byte* const record = reader_.peek();
      if (record == nullptr) {
        if (closed) return;
        reader_.release();
        closed = lane_->closed();  // then once more, for all that came before
        if (!closed) std::this_thread::yield();
        continue;
      }
      if (reader_.taken() >= stall_at) {
        stall_at = reader_.taken() + random() % (4 * events_of_lap_);
        if (random() % 4 == 0) reader_.release();
        stall();
        check_ahead();
        continue;
      }
      check_record(record, reader_.number());
      check_context();
      reader_.pop();
    }
  }

  /// Until the producer has gone on for up to three laps.
  void stall() {
    if (scene_.waits) return;
    const std::uint64_t until = lane_->captured() + random() % (3 * events_of_lap_);
    for (unsigned looks = 1; lane_->captured() < until && !lane_->closed(); ++looks) {
      if (looks % 1024 == 0) std::this_thread::yield();
    }
  }

  void check_context() {
    const std::uint64_t number = reader_.number();
    Context context;
    if (reader_.context() == nullptr) fail("no context", number);
    std::memcpy(&context, reader_.context(), sizeof(context));
    if (context.first_event > number || reader_.base_time() != base_time_of(context.first_event))
      fail("the context is another block's", number);
    if (reader_.block_sequence() == block_) return;
    if (reader_.block_sequence() < block_) fail("a block came twice", number);
    block_ = reader_.block_sequence();
    ++blocks_seen_;
  }

  void check_ahead() {
    const std::uint64_t captured = lane_->captured();
    const auto ahead = reader_.count_ahead();
    if (ahead.visible < captured || ahead.visible > lane_->captured() + 1)  // one may be there and not counted yet
      fail("what is visible is not what was captured", ahead.visible);
    if (reader_.taken() + reader_.overrun() + ahead.lost + ahead.events != ahead.visible)
      fail("what lies ahead does not add up", ahead.visible);
  }

  std::uint64_t random() { return random_ = mix(random_ + 1); }

  const Scene scene_;
  const std::uint64_t records_;
  const std::uint64_t events_of_lap_;
  std::unique_ptr<std::byte, Free> region_;
  std::unique_ptr<Lane> lane_;
  LaneReader reader_;
  std::uint64_t random_ = 1;
  std::uint64_t block_ = 0;
  std::uint64_t blocks_seen_ = 0;
  std::uint64_t blocks_opened_ = 0;  // the producer's, and read when it is joined
  std::uint64_t jumbos_made_ = 0;    // the same
};

void print(const char* name, const Counts& counts) {
  std::printf("%-28s %11" PRIu64 " taken %11" PRIu64 " lost %9" PRIu64 " drops %8" PRIu64 " orphans %8" PRIu64
              " wraps\n",
              name, counts.taken, counts.overrun, counts.drops, counts.orphans, counts.wraps);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t records = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000'000;
  const Scene scenes[] = {
      {"2 slots of 512 bytes", {.block_bytes = 512, .slots = 2}, false, 40},
      {"as made for 8192 events", lane_shape_for(8192), false, 45},
      {"8 slots of 1 KiB, waiting", {.block_bytes = 1024, .slots = 8}, true, 15},
  };
  Counts all;
  for (const Scene& scene : scenes) {
    const Counts counts = Run(scene, records / 100 * scene.share).go();
    print(scene.name, counts);
    all.taken += counts.taken;
    all.overrun += counts.overrun;
    all.drops += counts.drops;
    all.orphans += counts.orphans;
    all.wraps += counts.wraps;
  }
  print("all", all);
  constexpr std::uint64_t enough = 1000;
  if (all.drops <= enough || all.orphans <= enough || all.wraps <= enough) {
    std::printf("too few drops, orphans or wraps: more than %" PRIu64 " of each\n", enough);
    return 1;
  }
  std::printf("%" PRIu64 " records, each taken whole or counted as lost: taken + overrun == captured\n",
              all.taken + all.overrun);
  return 0;
}
