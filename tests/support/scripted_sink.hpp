// A sink that fails as it is told, and a clock whose steady time the test turns.
#pragma once

#include <cairn/all.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace cairn::testing {

/// The wall clock is the machine's; the steady one stands until it is turned. Safe from every thread.
class TurnedClock final : public Clock {
 public:
  Timestamp now() noexcept override { return system_clock().now(); }
  std::chrono::nanoseconds steady() noexcept override { return std::chrono::nanoseconds(time_.load()); }
  void turn(std::chrono::nanoseconds by) { time_ += by.count(); }

 private:
  std::atomic<std::int64_t> time_{0};
};

/// Keeps the `Number` of each event. Safe to be told things from every thread.
class ScriptedSink final : public Sink {
 public:
  /// Throws from now on, once it has taken `first` more events.
  void break_down(std::size_t first = 0) {
    const std::lock_guard lock(mutex_);
    left_ = first;
    down_ = true;
  }
  /// The same, with an error instead of an exception.
  void fail_with(std::errc error) {
    const std::lock_guard lock(mutex_);
    error_ = std::make_error_code(error);
  }
  void heal() {
    const std::lock_guard lock(mutex_);
    down_ = false;
    error_ = {};
  }
  /// Called with the numbers of each batch before anything else; may throw.
  std::function<void(const std::vector<std::int64_t>&)> in_emit;

  EmitResult emit(std::span<const Event> events) override {
    std::vector<std::int64_t> numbers;
    for (const Event& event : events) {
      const auto number = event.property("Number").value_or(Value()).as_int64();
      numbers.push_back(number.value_or(-1));
      if (!number) {
        const std::lock_guard lock(mutex_);
        others_.push_back(event.message());
      }
    }
    {
      const std::lock_guard lock(mutex_);
      sizes_.push_back(events.size());
    }
    if (in_emit) in_emit(numbers);
    const std::lock_guard lock(mutex_);
    if (error_) return {.emitted = 0, .error = error_};
    if (down_ && left_ == 0) throw std::runtime_error("out of order");
    const std::size_t taken = down_ ? std::min(left_, numbers.size()) : numbers.size();
    if (down_) left_ -= taken;
    for (std::size_t i = 0; i < taken; ++i) {
      if (numbers[i] >= 0) numbers_.push_back(numbers[i]);
    }
    return {.emitted = taken, .bytes = taken, .error = {}};
  }
  std::error_code flush(std::chrono::steady_clock::time_point) override {
    ++flushes;
    return {};
  }

  [[nodiscard]] std::vector<std::int64_t> numbers() const {
    const std::lock_guard lock(mutex_);
    return numbers_;
  }
  /// How many events each call brought.
  [[nodiscard]] std::vector<std::size_t> sizes() const {
    const std::lock_guard lock(mutex_);
    return sizes_;
  }
  [[nodiscard]] std::size_t calls() const { return sizes().size(); }
  /// Messages of events without a number.
  [[nodiscard]] std::vector<std::string> others() const {
    const std::lock_guard lock(mutex_);
    return others_;
  }
  std::atomic<std::size_t> flushes{0};

 private:
  mutable std::mutex mutex_;
  bool down_ = false;
  std::size_t left_ = 0;
  std::error_code error_;
  std::vector<std::int64_t> numbers_;
  std::vector<std::size_t> sizes_;
  std::vector<std::string> others_;
};

/// Waits for what other threads bring about; false after a minute.
inline bool comes_true(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

/// first, first + 1, … last - 1.
inline std::vector<std::int64_t> range(std::int64_t first, std::int64_t last) {
  std::vector<std::int64_t> numbers;
  for (; first < last; ++first) numbers.push_back(first);
  return numbers;
}

}  // namespace cairn::testing
