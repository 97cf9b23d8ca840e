// The lane's traits on relacy's atomics: every load may see any value that the memory model allows, every plain access
// is checked for races. To be included after everything else of the lane: relacy redefines words of the language.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "lane/lane.hpp"
#include "lane/lane_reader.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#include <relacy/relacy.hpp>
#pragma GCC diagnostic pop
#undef memory_order_relaxed
#undef memory_order_consume
#undef memory_order_acquire
#undef memory_order_release
#undef memory_order_acq_rel
#undef memory_order_seq_cst
#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef errno

namespace cairn::model {

constexpr rl::memory_order relacy_order(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed: return rl::mo_relaxed;
    case std::memory_order_acquire: return rl::mo_acquire;
    case std::memory_order_release: return rl::mo_release;
    case std::memory_order_acq_rel: return rl::mo_acq_rel;
    default: return rl::mo_seq_cst;
  }
}

template <class T>
class ModelAtomic {
 public:
  ModelAtomic(T value = T()) : atomic_(value) {}

  T load(std::memory_order order) const { return atomic_.load(relacy_order(order), RL_INFO); }
  void store(T value, std::memory_order order) { atomic_.store(value, relacy_order(order), RL_INFO); }
  T exchange(T value, std::memory_order order) { return atomic_.exchange(value, relacy_order(order), RL_INFO); }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order success, std::memory_order failure) {
    if (success == std::memory_order_release && failure == std::memory_order_acquire) {
      // relacy has no such pair. A failed relaxed one and then an acquire of the same value, or of one that came later.
      if (atomic_.compare_exchange_strong(expected, desired, rl::mo_release, RL_INFO, rl::mo_relaxed, RL_INFO))
        return true;
      static_cast<void>(atomic_.load(rl::mo_acquire, RL_INFO));
      return false;
    }
    if (success == std::memory_order_relaxed && failure == std::memory_order_acquire) {
      if (atomic_.compare_exchange_strong(expected, desired, rl::mo_relaxed, RL_INFO, rl::mo_relaxed, RL_INFO))
        return true;
      static_cast<void>(atomic_.load(rl::mo_acquire, RL_INFO));
      return false;
    }
    return atomic_.compare_exchange_strong(expected, desired, relacy_order(success), RL_INFO, relacy_order(failure),
                                           RL_INFO);
  }

 private:
  rl::atomic<T> atomic_;
};

template <class T>
class ModelPlain {
 public:
  ModelPlain(T value) : var_(value) {}
  operator T() const { return var_(RL_INFO); }
  ModelPlain& operator=(T value) {
    var_(RL_INFO) = value;
    return *this;
  }

 private:
  rl::var<T> var_;
};

/// A lane's region in units of 8 bytes. The lower half of each may be the word of a record, an atomic, or plain; the
/// upper half is always plain. What the plain accesses to the lower half may race with is noted in two variables.
struct ModelUnit {
  ModelAtomic<std::uint32_t> word{0xABABABAB};
  ModelPlain<std::uint32_t> lower{0xABABABAB};  // written by plain writes, read by plain reads and loads of the word
  ModelPlain<std::uint32_t> word_stored{0};     // written by stores of the word, read by plain reads
  ModelPlain<std::uint32_t> upper{0xABABABAB};
};

template <std::size_t Bytes>
class ModelMemory {
 public:
  std::byte* region() { return region_; }
  bool has(const std::byte* at) const { return at >= region_ && at < region_ + Bytes; }
  ModelUnit& unit(const std::byte* at) { return units_[static_cast<std::size_t>(at - region_) / 8]; }
  bool is_upper(const std::byte* at) const { return (at - region_) % 8 != 0; }

 private:
  std::array<ModelUnit, Bytes / 8> units_;  // no allocation: relacy's is not the program's
  alignas(64) std::byte region_[Bytes];     // addresses only
};

template <class O, std::size_t Bytes>
struct ModelTraits {
  static inline ModelMemory<Bytes>* memory = nullptr;  // of the run that is going on

  using Orders = O;
  template <class T>
  using Atomic = ModelAtomic<T>;
  template <class T>
  using Plain = ModelPlain<T>;
  static constexpr std::size_t max_slots = 3;

  static std::uint32_t load_word(const std::byte* at, std::memory_order order) {
    ModelUnit& unit = memory->unit(at);
    static_cast<void>(static_cast<std::uint32_t>(unit.lower));
    return unit.word.load(order);
  }
  static void store_word(std::byte* at, std::uint32_t word, std::memory_order order) {
    ModelUnit& unit = memory->unit(at);
    unit.word_stored = 1;
    unit.word.store(word, order);
  }
  static std::uint32_t read(const std::byte* at) {
    if (!memory->has(at)) {
      std::uint32_t value;
      std::memcpy(&value, at, sizeof(value));
      return value;
    }
    ModelUnit& unit = memory->unit(at);
    if (memory->is_upper(at)) return unit.upper;
    static_cast<void>(static_cast<std::uint32_t>(unit.word_stored));
    return unit.lower;
  }
  static void write(std::byte* to, const std::byte* from, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; i += 4) {
      std::uint32_t value;
      std::memcpy(&value, from + i, sizeof(value));
      ModelUnit& unit = memory->unit(to + i);
      if (memory->is_upper(to + i)) {
        unit.upper = value;
      } else {
        unit.lower = value;
        unit.word.store(value, std::memory_order_relaxed);  // plain: whoever loads it without order sees anything
      }
    }
  }
  static void prefetch_to_write(const void*) {}
  static void prefetch_to_read(const void*) {}
  static void fetch(const void*) {}
  static void check(bool holds) { RL_ASSERT(holds); }
};

}  // namespace cairn::model
