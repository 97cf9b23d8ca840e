// Room in the queue of a sink that blocks: callers take credit before they write, and wait where there is none. It
// comes back when an event is resolved, or was not for that sink. Some may be reserved: for events of a protected
// level. Where the queue has a limit of bytes, they take those beside their place.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <new>
#include <optional>

#include "pipeline/byte_credit.hpp"
#include "platform/no_cancellation.hpp"

namespace cairn::detail {

class Credit {
 public:
  /// Who may have it.
  enum class For : std::uint8_t { all, the_protected };

  explicit Credit(std::uint64_t all, std::uint64_t reserved = 0, std::optional<std::uint64_t> bytes = {}) noexcept
      : all_(static_cast<std::int64_t>(all)),
        reserved_(static_cast<std::int64_t>(reserved)),
        worth_waking_(std::max<std::int64_t>(1, all_ / 4)),
        left_(all_) {
    if (bytes) bytes_.emplace(*bytes);
  }

  /// Takes up to `most`, or nothing.
  [[nodiscard]] std::uint64_t take_now(std::uint64_t most, For whom = For::all) noexcept {
    return try_take(most, whom);
  }
  /// Takes up to `most`, at least one; 0: there was none until `deadline`.
  [[nodiscard]] std::uint64_t take(std::uint64_t most, std::chrono::steady_clock::time_point deadline,
                                   For whom = For::all) {
    if (const std::uint64_t taken = try_take(most, whom); taken != 0) return taken;
    const NoCancellation uncancelled;
    std::unique_lock lock(mutex_);
    ++waiting_;  // seq_cst: either give() sees it, or the try below sees what give() added
    std::uint64_t taken = 0;
    const auto done = [&] { return ended_ || (taken = try_take(most, whom)) != 0; };
    // Where it comes back slowly nobody says so before it is worth it, and a look now and then finds it.
    auto look = std::chrono::steady_clock::now();
    for (std::chrono::nanoseconds pause = shortest_look; look < deadline; pause = std::min(2 * pause, longest_look)) {
      look = std::min(deadline, look + pause);
      if (came_.wait_until(lock, look, done)) break;
    }
    --waiting_;
    return taken;
  }
  void give(std::uint64_t count) noexcept {
    if (count == 0) return;
    const auto given = static_cast<std::int64_t>(count);
    const std::int64_t left = left_.fetch_add(given) + given;  // seq_cst: see take()
    if (waiting_.load() == 0 || left < worth_waking_) return;
    const std::lock_guard lock(mutex_);  // whoever looked before the addition waits by now
    came_.notify_all();
  }
  /// Of events that are in the queue no more, or never were: their places, and what they took of its bytes.
  void give(std::uint64_t places, std::uint64_t bytes) noexcept {
    give(places);
    if (bytes_) bytes_->give(static_cast<std::int64_t>(bytes));
  }
  /// An event took so many bytes, as its caller knew it, and costs so many.
  void settle(std::uint64_t taken, std::uint64_t cost) noexcept {
    if (bytes_) bytes_->give(static_cast<std::int64_t>(taken) - static_cast<std::int64_t>(cost));
  }
  /// Null: the queue has no limit of them.
  [[nodiscard]] ByteCredit* bytes() noexcept { return bytes_ ? &*bytes_ : nullptr; }
  /// In a process just forked: nobody waits, and all of it is there. Who had credit in the parent (threads, their
  /// lanes, the queue) is not in the child to give it back.
  void start_anew() noexcept {
    new (&came_) std::condition_variable;
    new (&mutex_) std::mutex;
    waiting_ = 0;
    left_ = all_;
    if (bytes_) bytes_->start_anew();
  }
  /// Nobody waits any more.
  void end() noexcept {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    came_.notify_all();
    if (bytes_) bytes_->end();
  }

 private:
  [[nodiscard]] std::uint64_t try_take(std::uint64_t most, For whom) noexcept {
    const std::int64_t kept = whom == For::the_protected ? 0 : reserved_;
    std::int64_t left = left_.load();
    while (left > kept) {
      const std::int64_t taken = std::min(left - kept, static_cast<std::int64_t>(most));
      if (left_.compare_exchange_weak(left, left - taken)) return static_cast<std::uint64_t>(taken);
    }
    return 0;
  }

  static constexpr std::chrono::nanoseconds shortest_look = std::chrono::milliseconds(1);
  static constexpr std::chrono::nanoseconds longest_look = std::chrono::milliseconds(8);

  const std::int64_t all_;
  const std::int64_t reserved_;
  const std::int64_t worth_waking_;  // waking somebody up costs as much as delivering a hundred events
  std::atomic<std::int64_t> left_;
  std::atomic<std::uint32_t> waiting_{0};
  std::mutex mutex_;
  std::condition_variable came_;
  bool ended_ = false;  // guarded by mutex_
  std::optional<ByteCredit> bytes_;
};

}  // namespace cairn::detail
