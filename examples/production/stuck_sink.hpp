// A sink for the examples beside it: it takes nothing until it is let go, as a disk or a peer that hangs.
#pragma once

#include <cairn/all.hpp>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

class StuckSink final : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    std::unique_lock lock(mutex_);
    inside_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
    for (const cairn::Event& event : events) {
      if (const auto number = event.property("Number"))
        numbers_.push_back(number->as_int64().value_or(-1));
      else
        others_.push_back(event.message().substr(0, event.message().find(" since")));
    }
    return cairn::EmitResult::all(events);
  }

  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  /// Returns once an event is inside.
  void wait_until_stuck() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return inside_; });
  }
  /// The `Number` of each event, once it is open.
  [[nodiscard]] std::vector<std::int64_t> numbers() const {
    const std::lock_guard lock(mutex_);
    return numbers_;
  }
  /// What events without a number say: those that tell of a gap.
  [[nodiscard]] std::vector<std::string> others() const {
    const std::lock_guard lock(mutex_);
    return others_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  bool inside_ = false;
  std::vector<std::int64_t> numbers_;
  std::vector<std::string> others_;
};
