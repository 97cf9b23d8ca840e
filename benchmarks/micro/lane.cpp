// What a lane costs its producer: a record copied in, one written by hand as a log call does it, and the step to the
// next block. The floor is the same copy and store into a ring of the same size that knows no blocks and no reader.
#include "lane/lane.hpp"

#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <new>
#include <thread>

#include "lane/lane_reader.hpp"

namespace {
using namespace cairn::detail;

constexpr std::size_t record_bytes = 48;

struct Region {
  explicit Region(std::size_t bytes) : memory(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{64}))) {
    std::memset(memory.get(), 0, bytes);
  }
  struct Free {
    void operator()(std::byte* at) const { ::operator delete (at, std::align_val_t{64}); }
  };
  std::unique_ptr<std::byte, Free> memory;
};

struct Setting {
  explicit Setting(std::size_t events) : shape(lane_shape_for(events)), region(shape.region_bytes()) {}
  LaneShape shape;
  Region region;
  Lane lane{shape, region.memory.get()};
  LaneReader reader{lane};
};

struct alignas(8) SampleRecord {
  SampleRecord() {
    const std::uint32_t word = RecordWord::make(sizeof(bytes));
    std::memcpy(bytes, &word, sizeof(word));
  }
  std::byte bytes[record_bytes]{};
};

void lane_floor(benchmark::State& state) {
  const std::size_t size = lane_shape_for(static_cast<std::size_t>(state.range(0))).region_bytes();
  const Region region(size);
  SampleRecord record;
  std::size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(record);
    std::byte* const to = region.memory.get() + at;
    std::memcpy(to + 4, record.bytes + 4, record_bytes - 4);
    LaneTraits::store_word(to, LaneTraits::read(record.bytes), std::memory_order_release);
    at = at + 2 * record_bytes <= size ? at + record_bytes : 0;
  }
}
BENCHMARK(lane_floor)->Arg(100)->Arg(8192);

/// Nobody reads: every block that is full drops the oldest.
void lane_append(benchmark::State& state) {
  Setting setting(static_cast<std::size_t>(state.range(0)));
  SampleRecord record;
  for (auto _ : state) {
    benchmark::DoNotOptimize(record);
    while (!setting.lane.append(record.bytes, record_bytes)) setting.lane.open_block(0);
  }
}
BENCHMARK(lane_append)->Arg(100)->Arg(8192);

/// The reader takes each block when it is full, on the same thread and not timed: the lane stays in two blocks.
void lane_append_read(benchmark::State& state) {
  Setting setting(8192);
  SampleRecord record;
  for (auto _ : state) {
    benchmark::DoNotOptimize(record);
    while (!setting.lane.append(record.bytes, record_bytes)) {
      state.PauseTiming();
      while (setting.reader.peek() != nullptr) setting.reader.pop();
      setting.reader.release();
      state.ResumeTiming();
      setting.lane.open_block(0);
    }
  }
}
BENCHMARK(lane_append_read);

/// The step to the next block, with a context of that many bytes; each time a block is dropped.
void lane_open_block(benchmark::State& state) {
  Setting setting(8192);
  const auto bytes = static_cast<std::size_t>(state.range(0));
  alignas(8) std::byte context[1024]{};
  const std::uint32_t word = RecordWord::make(bytes, RecordWord::side_entry);
  std::memcpy(context, &word, sizeof(word));
  for (auto _ : state) setting.lane.open_block(0, context, bytes);
}
BENCHMARK(lane_open_block)->Arg(0)->Arg(256)->Arg(1024);

/// The same with one record in each block and a reader on another core that takes each at once.
void lane_open_block_read_elsewhere(benchmark::State& state) {
  Setting setting(8192);
  SampleRecord record;
  std::thread reader([&setting] {
    for (bool closed = false; !closed;) {
      closed = setting.lane.closed();
      while (setting.reader.peek() != nullptr) setting.reader.pop();
      setting.reader.release();
    }
  });
  for (auto _ : state) {
    setting.lane.open_block(0);
    benchmark::DoNotOptimize(setting.lane.append(record.bytes, record_bytes));
  }
  setting.lane.close();
  reader.join();
  state.counters["lost"] = static_cast<double>(setting.reader.overrun()) / static_cast<double>(setting.lane.captured());
}
BENCHMARK(lane_open_block_read_elsewhere)->UseRealTime();

/// The reader's part: to find a record and to be done with it.
void lane_read(benchmark::State& state) {
  Setting setting(8192);
  SampleRecord record;
  for (auto _ : state) {
    const std::byte* next = setting.reader.peek();
    if (next == nullptr) {
      state.PauseTiming();
      for (int i = 0; i < 4096; ++i)
        while (!setting.lane.append(record.bytes, record_bytes)) setting.lane.open_block(0);
      state.ResumeTiming();
      continue;
    }
    benchmark::DoNotOptimize(next);
    setting.reader.pop();
  }
}
BENCHMARK(lane_read);
}  // namespace
