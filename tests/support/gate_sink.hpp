// A sink that stops inside emit() until it is let go, and keeps what it got.
#pragma once

#include <cairn/all.hpp>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace cairn::testing {

class GateSink final : public Sink {
 public:
  explicit GateSink(bool open = false) : open_(open) {}

  EmitResult emit(std::span<const Event> events) override {
    {
      std::unique_lock lock(mutex_);
      inside_ += events.size();
      changed_.notify_all();
      changed_.wait(lock, [&] { return open_; });
      inside_ -= events.size();
    }
    const std::lock_guard lock(mutex_);
    for (const Event& event : events) {
      Kept kept;
      kept.thread = event.property("Thread").value_or(Value()).as_int64().value_or(-1);
      kept.number = event.property("Number").value_or(Value()).as_int64().value_or(-1);
      kept.time = event.timestamp();
      kept.level = event.level();
      kept.source = std::string(event.source());
      if (keep_messages) kept.message = event.message();
      kept_.push_back(std::move(kept));
    }
    return EmitResult::all(events);
  }
  std::error_code flush(std::chrono::steady_clock::time_point) override {
    const std::lock_guard lock(mutex_);
    ++flushes_;
    flushed_with_ = kept_.size();
    changed_.notify_all();
    return {};
  }

  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void shut() {
    const std::lock_guard lock(mutex_);
    open_ = false;
  }
  /// Waits until a batch is inside; gives its size.
  std::size_t wait_inside() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return inside_ != 0; });
    return inside_;
  }
  /// Waits until flush() was called with so many events kept.
  void wait_flushed_with(std::size_t events) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return flushed_with_ >= events; });
  }

  struct Kept {
    std::int64_t thread = -1;
    std::int64_t number = -1;
    Timestamp time{};
    Level level{};
    std::string source;
    std::string message;
  };
  /// Without the events that tell of gaps.
  [[nodiscard]] std::vector<Kept> kept() const { return select(false); }
  [[nodiscard]] std::vector<Kept> gaps() const { return select(true); }
  [[nodiscard]] std::size_t flushes() const {
    const std::lock_guard lock(mutex_);
    return flushes_;
  }
  bool keep_messages = false;

 private:
  [[nodiscard]] std::vector<Kept> select(bool gaps) const {
    const std::lock_guard lock(mutex_);
    std::vector<Kept> found;
    for (const Kept& kept : kept_) {
      if ((kept.source == "Cairn") == gaps) found.push_back(kept);
    }
    return found;
  }
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool open_;
  std::size_t inside_ = 0;
  std::size_t flushes_ = 0;
  std::size_t flushed_with_ = 0;
  std::vector<Kept> kept_;
};

}  // namespace cairn::testing
