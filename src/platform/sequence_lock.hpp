// A sequence lock: one thread at a time changes a few atomic words, and whoever reads them together waits for nobody,
// but looks again where they changed meanwhile.
//
//   SequenceLock version;
//   std::atomic<std::uint64_t> a, b;
//   version.change([&] { a.store(1, std::memory_order_release); b.store(2, std::memory_order_release); });
//   while (!version.read([&] { x = a.load(std::memory_order_acquire); y = b.load(std::memory_order_acquire); })) …
//
// The stores of a change are releases and the loads of a reading acquires: that, and not a fence, keeps them between
// the two looks at the version. On x86 neither costs anything.
#pragma once

#include <atomic>
#include <cstdint>

namespace cairn::detail {

class SequenceLock {
 public:
  /// By one thread at a time.
  template <class F>
  void change(F&& f) noexcept {
    const std::uint32_t version = version_.load(std::memory_order_relaxed);
    version_.store(version + 1, std::memory_order_relaxed);  // the stores of f() keep it before them
    f();
    version_.store(version + 2, std::memory_order_release);  // pairs with read(): the changes are before it
  }
  /// False: what f() read does not belong together, or is being changed.
  template <class F>
  [[nodiscard]] bool read(F&& f) const noexcept {
    const std::uint32_t version = version_.load(std::memory_order_acquire);  // pairs with the end of change()
    f();  // its loads keep the second look behind them
    return version % 2 == 0 && version_.load(std::memory_order_relaxed) == version;
  }
  /// In a process just forked, whose other threads are gone: nobody changes anything.
  void free_after_fork() noexcept { version_.store(0, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> version_{0};  // odd: a change is under way
};

}  // namespace cairn::detail
