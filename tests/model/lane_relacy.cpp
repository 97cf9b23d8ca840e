// The lane under relacy, which runs it in many interleavings and lets every load see any value that the memory model
// allows. First as it is: nothing may be found. Then with each memory order weakened alone: each must be found.
//
//   lane_relacy [ITERATIONS]
//
// ITERATIONS is how often the lane runs as it is; a weakened one runs until it is found, at most as often.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <ostream>
#include <streambuf>
#include <string_view>

#include "relacy_traits.hpp"

namespace {
using namespace cairn::detail;
using namespace cairn::model;

/// The lane's orders as variables, so that one can be weakened.
struct ModelOrders : LaneOrders {
  using Order = std::memory_order;
  static inline Order record_publish = LaneOrders::record_publish;
  static inline Order record_read = LaneOrders::record_read;
  static inline Order slot_seen_empty = LaneOrders::slot_seen_empty;
  static inline Order slot_fill = LaneOrders::slot_fill;
  static inline Order slot_exchange = LaneOrders::slot_exchange;
  static inline Order slot_look = LaneOrders::slot_look;
  static inline Order pin = LaneOrders::pin;
  static inline Order unpin = LaneOrders::unpin;
  static inline Order unpin_failed = LaneOrders::unpin_failed;
  static inline Order give_back = LaneOrders::give_back;
  static inline Order collect = LaneOrders::collect;
  static inline Order count_look = LaneOrders::count_look;
  static inline Order first_event_write = LaneOrders::first_event_write;
  static inline Order first_event_read = LaneOrders::first_event_read;
  static inline Order captured_write = LaneOrders::captured_write;
  static inline Order captured_read = LaneOrders::captured_read;
  static inline Order first_write = LaneOrders::first_write;
  static inline Order first_read = LaneOrders::first_read;
  static inline Order first_again_write = LaneOrders::first_again_write;
  static inline Order first_again_read = LaneOrders::first_again_read;
  static inline Order close = LaneOrders::close;
  static inline Order closed = LaneOrders::closed;
};

struct Mutant {
  const char* name;
  std::memory_order* order;
  std::memory_order weakened = std::memory_order_relaxed;
};

// Every order of LaneOrders that is not relaxed already.
const Mutant mutants[] = {
    {"record_publish", &ModelOrders::record_publish},
    {"record_read", &ModelOrders::record_read},
    {"slot_seen_empty", &ModelOrders::slot_seen_empty},
    {"slot_fill", &ModelOrders::slot_fill},
    {"slot_exchange, no release", &ModelOrders::slot_exchange, std::memory_order_acquire},
    {"slot_exchange, no acquire", &ModelOrders::slot_exchange, std::memory_order_release},
    {"slot_look", &ModelOrders::slot_look},
    {"pin", &ModelOrders::pin},
    {"unpin", &ModelOrders::unpin},
    {"unpin_failed", &ModelOrders::unpin_failed},
    {"give_back", &ModelOrders::give_back},
    {"collect", &ModelOrders::collect},
    {"count_look", &ModelOrders::count_look},
    {"first_event_write", &ModelOrders::first_event_write},
    {"first_event_read", &ModelOrders::first_event_read},
    {"captured_write", &ModelOrders::captured_write},
    {"captured_read", &ModelOrders::captured_read},
    {"first_write", &ModelOrders::first_write},
    {"first_read", &ModelOrders::first_read},
    {"first_again_write", &ModelOrders::first_again_write},
    {"first_again_read", &ModelOrders::first_again_read},
    {"close", &ModelOrders::close},
    {"closed", &ModelOrders::closed},
};

constexpr unsigned steps = 9;
constexpr unsigned looks = 12;
constexpr std::uint32_t context_tag = 1000;

struct Entry {
  std::uint32_t words[4];
};

/// An event of one or two units, with its number in every word but the first.
Entry make_event(std::size_t bytes, std::uint32_t number) {
  return {{RecordWord::make(bytes), number, number, number}};
}

struct ModelJumbo : LaneJumbo {
  Entry entry{};
  int ends = 0;
};

struct LaneRun : rl::test_suite<LaneRun, 2> {
  static constexpr LaneShape shape{.block_bytes = 32, .slots = 2};  // three units and the seal
  using Traits = ModelTraits<ModelOrders, shape.region_bytes()>;

  ModelMemory<shape.region_bytes()> memory;
  std::optional<BasicLane<Traits>> lane{std::in_place, shape, memory.region()};
  std::optional<BasicLaneReader<Traits>> reader{std::in_place, *lane};
  std::uint32_t written = 0;
  unsigned jumbo_count = 0;
  ModelJumbo jumbos[steps];
  std::uint64_t least_next = 0;  // what comes from another block than the present one has at least this number

  LaneRun() { Traits::memory = &memory; }

  void thread(unsigned index) {
    if (index == 0) {
      for (unsigned step = 0; step < steps; ++step) produce();
      lane->close();
    } else {
      for (unsigned look = 0; look < looks; ++look) consume();
      reader->release();
    }
  }

  void after() {
    read_all();
    const auto ahead = reader->count_ahead();
    RL_ASSERT(ahead.events == 0 && ahead.lost == 0 && ahead.visible == written);
    reader.reset();
    lane.reset();
    for (unsigned i = 0; i < jumbo_count; ++i) RL_ASSERT(jumbos[i].ends == 1);
  }

  // ---- the producer

  void open_block() {
    const Entry context = {{RecordWord::make(16, RecordWord::side_entry),
                            static_cast<std::uint32_t>(SideEntryKind::context), 0, context_tag + written}};
    const std::size_t bytes = rl::rand(2) != 0 ? 16 : 0;
    lane->open_block(written, bytes_of(context), bytes);
  }

  void produce() {
    switch (rl::rand(8)) {
      case 0:
      case 1:
      case 2: open_block(); return;
      case 3: append_jumbo(); return;
      case 4: write_by_hand(); return;
      default: append_event();
    }
  }

  void append_event() {
    const std::size_t bytes = rl::rand(2) != 0 ? 8 : 16;
    const Entry event = make_event(bytes, written++);
    if (lane->append(bytes_of(event), bytes)) return;
    open_block();
    if (lane->append(bytes_of(event), bytes)) return;
    lane->open_block(written);  // the context left no room
    if (!lane->append(bytes_of(event), bytes)) RL_ASSERT(false);
  }

  /// As a log call does it, which holds the end itself.
  void write_by_hand() {
    const Entry event = make_event(8, written);
    std::byte* const at = lane->position();
    if (at == lane->end()) return;
    Traits::store_word(at + 8, RecordWord::none, ModelOrders::next_word);
    Traits::write(at + 4, bytes_of(event) + 4, 4);
    Traits::store_word(at, event.words[0], ModelOrders::record_publish);
    ++written;
    auto& cursor = *lane->cursor_word();
    cursor.store(cursor.load(std::memory_order_relaxed) + LaneCursor::step(8, 1), ModelOrders::captured_write);
  }

  void append_jumbo() {
    ModelJumbo& jumbo = jumbos[jumbo_count++];
    jumbo.entry = make_event(16, written++);
    jumbo.record = bytes_of(jumbo.entry);
    jumbo.destroy = [](LaneJumbo* self) noexcept { ++static_cast<ModelJumbo*>(self)->ends; };
    if (lane->append_jumbo(&jumbo)) return;
    open_block();
    if (!lane->append_jumbo(&jumbo)) RL_ASSERT(false);
  }

  // ---- the reader

  void consume() {
    switch (rl::rand(7)) {
      case 0: reader->release(); return;
      case 1:
      case 2: count(); return;
      case 3:
        if (lane->closed()) {  // then all is there
          read_all();
          RL_ASSERT(reader->taken() + reader->overrun() == written);
        }
        return;
      default: take();
    }
  }

  bool take() {
    const std::uint64_t block = reader->block_sequence();
    const std::byte* const record = reader->peek();
    if (record == nullptr) return false;
    const std::uint64_t number = reader->number();
    if (reader->block_sequence() != block) RL_ASSERT(number >= least_next);
    const std::uint32_t word =
        memory.has(record) ? Traits::load_word(record, std::memory_order_relaxed) : Traits::read(record);
    RL_ASSERT(Traits::read(record + 4) == number);
    if (RecordWord::bytes(word) == 16) {
      RL_ASSERT(Traits::read(record + 8) == number);
      RL_ASSERT(Traits::read(record + 12) == number);
    }
    if (const std::byte* const context = reader->context(); context != nullptr)
      RL_ASSERT(Traits::read(context + 12) == context_tag + static_cast<std::uint32_t>(reader->base_time()));
    reader->pop();
    return true;
  }

  void read_all() {
    while (take()) {
    }
  }

  void count() {
    const std::uint64_t captured = lane->captured();
    const auto ahead = reader->count_ahead();
    RL_ASSERT(ahead.visible >= captured && ahead.visible <= written);
    RL_ASSERT(reader->taken() + reader->overrun() + ahead.lost + ahead.events == ahead.visible);
    if (ahead.lost != 0) least_next = std::max(least_next, reader->number() + ahead.lost);
  }

  static const std::byte* bytes_of(const Entry& entry) { return reinterpret_cast<const std::byte*>(&entry); }
};

/// What relacy prints. It has an allocator of its own while it runs: a stream must not allocate then.
class FixedBuffer : public std::streambuf {
 public:
  FixedBuffer() { clear(); }
  void clear() { setp(characters_, characters_ + sizeof(characters_)); }
  [[nodiscard]] std::string_view text() const { return {characters_, pptr()}; }

 private:
  char characters_[1 << 18];
};

struct Outcome {
  bool found;
  std::uint64_t runs;
  const char* what;
  std::string_view history;  // of the run that found it; until the next one
};

Outcome run(std::uint64_t iterations) {
  static FixedBuffer buffer;
  buffer.clear();
  std::ostream output(&buffer);
  rl::test_params params;
  params.iteration_count = iterations;
  params.output_stream = &output;
  params.progress_stream = &output;
  params.search_type = rl::random_scheduler_type;
  const bool fine = rl::simulate<LaneRun>(params);
  return {!fine, params.stop_iteration, rl::test_result_str(params.test_result), buffer.text()};
}

void print(const char* name, const Outcome& outcome) {
  std::printf("%-28s %s in %" PRIu64 " runs\n", name, outcome.found ? outcome.what : "nothing found", outcome.runs);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t runs = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100000;
  const Outcome as_it_is = run(runs);
  print("as it is", as_it_is);
  if (as_it_is.found) {
    std::printf("%.*s\n", static_cast<int>(as_it_is.history.size()), as_it_is.history.data());
    return 1;
  }
  int missed = 0;
  for (const Mutant& mutant : mutants) {
    const std::memory_order order = *mutant.order;
    *mutant.order = mutant.weakened;
    const Outcome outcome = run(runs);
    *mutant.order = order;
    print(mutant.name, outcome);
    if (!outcome.found) ++missed;
  }
  std::printf("%zu orders weakened, %d of them not found\n", std::size(mutants), missed);
  return missed == 0 ? 0 : 1;
}
