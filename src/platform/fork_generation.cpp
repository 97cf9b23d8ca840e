#include "platform/fork_generation.hpp"

#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace cairn::detail {

namespace {

using Word = std::atomic<std::uint64_t>;

/// A word on a page of its own that the kernel gives to a child filled with zeroes. (A pid does not tell: it may be the
/// same in another namespace, or come again; and pthread_atfork does not see clone(2).) Null where it cannot be had.
Word* make_word() noexcept {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* memory = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  if (madvise(memory, page, MADV_WIPEONFORK) != 0) {
    munmap(memory, page);
    return nullptr;
  }
  return static_cast<Word*>(memory);  // an atomic of zero is all zeroes; the page lives for ever
}

constinit Word no_word{0};  // stands for one that cannot be had

/// The process's, made by the first that asks. By no static of a function: its hidden lock would be held for ever in a
/// child forked at that moment.
Word* the_word() noexcept {
  static constinit std::atomic<Word*> made{nullptr};
  Word* word = made.load(std::memory_order_acquire);  // pairs with the exchange
  if (word != nullptr) [[likely]]
    return word;
  Word* const fresh = make_word();
  if (made.compare_exchange_strong(word, fresh != nullptr ? fresh : &no_word, std::memory_order_acq_rel))
    return fresh != nullptr ? fresh : &no_word;
  if (fresh != nullptr) munmap(static_cast<void*>(fresh), static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
  return word;
}

std::uint64_t mix(std::uint64_t value) noexcept {  // splitmix64's last step
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31U);
}

}  // namespace

void random_bytes(void* bytes, std::uint32_t size) noexcept {
  auto* at = static_cast<unsigned char*>(bytes);
  std::uint32_t done = 0;
  while (done < size) {
    const ssize_t got = getrandom(at + done, size - done, GRND_NONBLOCK);
    if (got > 0) {
      done += static_cast<std::uint32_t>(got);
    } else if (got < 0 && errno != EINTR) {
      break;  // early in boot, or forbidden by a sandbox
    }
  }
  if (done == size) return;
  static Word calls{0};  // relaxed: only has to differ
  std::uint64_t state = mix(calls.fetch_add(1, std::memory_order_relaxed) + 0x9E3779B97F4A7C15ULL);
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  state = mix(state ^ static_cast<std::uint64_t>(time.tv_nsec)) ^ static_cast<std::uint64_t>(time.tv_sec);
  clock_gettime(CLOCK_MONOTONIC, &time);
  state = mix(state ^ static_cast<std::uint64_t>(time.tv_nsec));
  state = mix(state ^ (static_cast<std::uint64_t>(syscall(SYS_gettid)) << 32U) ^ static_cast<std::uint64_t>(getpid()));
  if (const auto* kernel = reinterpret_cast<const unsigned char*>(getauxval(AT_RANDOM)); kernel != nullptr) {
    std::uint64_t words[2];
    std::memcpy(words, kernel, sizeof(words));
    state = mix(state ^ words[0]) ^ words[1];
  }
  for (; done < size; ++done) {
    state += 0x9E3779B97F4A7C15ULL;
    at[done] = static_cast<unsigned char>(mix(state) >> 56U);
  }
}

std::uint64_t fork_generation() noexcept {
  Word* const word = the_word();
  if (word == &no_word) [[unlikely]]
    return static_cast<std::uint64_t>(getpid());
  // relaxed, with the exchange below: the number guards nothing but itself
  std::uint64_t generation = word->load(std::memory_order_relaxed);
  while (generation == 0) [[unlikely]] {
      std::uint64_t fresh = 0;
      random_bytes(&fresh, sizeof(fresh));
      if (fresh == 0) fresh = 1;
      if (word->compare_exchange_strong(generation, fresh, std::memory_order_relaxed)) return fresh;
    }
  return generation;
}

}  // namespace cairn::detail
