#include "sinks/shared_sink.hpp"

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "cairn/detail/fork_mutex.hpp"
#include "platform/made_once.hpp"
#include "platform/timed_lock.hpp"

namespace cairn::detail {

/// Before a fork the stages see to it that no call is under way.
struct SinkTurn final : ForkHandler {
  SinkTurn() { guard_against_forks(*this); }
  SinkTurn(const SinkTurn&) = delete;
  SinkTurn& operator=(const SinkTurn&) = delete;
  ~SinkTurn() { forget_in_forks(*this); }
  void before_fork(std::chrono::steady_clock::time_point) noexcept override {}
  void after_fork(bool child) noexcept override {
    if (!child) return;
    lock.free_after_fork();
    holder.store({}, std::memory_order_relaxed);
  }
  TimedLock lock;
  std::atomic<std::thread::id> holder{};  // relaxed: to a thread it only tells whether it is itself
};

namespace {

/// The turn, where it could be had.
class Turn {
 public:
  Turn(SinkTurn& turn, std::chrono::steady_clock::time_point deadline) noexcept : turn_(turn) {
    if (turn.holder.load(std::memory_order_relaxed) == std::this_thread::get_id()) {
      error_ = std::errc::resource_deadlock_would_occur;  // the sink logs to a logger that writes to it, too
    } else if (!turn.lock.try_lock_until(deadline)) {
      error_ = std::errc::timed_out;
    } else {
      turn.holder.store(std::this_thread::get_id(), std::memory_order_relaxed);
    }
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (error_ != std::errc{}) return;
    turn_.holder.store({}, std::memory_order_relaxed);
    turn_.lock.unlock();
  }
  [[nodiscard]] bool taken() const noexcept { return error_ == std::errc{}; }
  [[nodiscard]] std::error_code error() const noexcept { return std::make_error_code(error_); }

 private:
  SinkTurn& turn_;
  std::errc error_{};
};

constexpr auto no_deadline = std::chrono::steady_clock::time_point::max();

/// By the address of what is written to.
std::shared_ptr<SinkTurn> turn_at(const void* target) {
  struct Turns {
    ForkMutex mutex;
    std::map<const void*, std::weak_ptr<SinkTurn>> known;
  };
  static constinit MadeOnce<Turns> made;  // never destroyed: loggers are made and end before main and after it
  Turns& turns = made.get();
  auto fresh = std::make_shared<SinkTurn>();  // and not under the lock, which forks hold as they hold its own
  const std::lock_guard lock(turns.mutex);
  std::erase_if(turns.known, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<SinkTurn>& known = turns.known[target];
  if (auto turn = known.lock()) return turn;
  known = fresh;
  return fresh;
}

}  // namespace

SharedSink::SharedSink(std::shared_ptr<Sink> sink) : turn_(turn_at(sink.get())), sink_(std::move(sink)) {}

SharedSink::SharedSink(std::shared_ptr<Sink> sink, const std::ostream& stream)
    : turn_(turn_at(&stream)), sink_(std::move(sink)) {}

EmitResult SharedSink::emit(std::span<const Event> events) {
  const Turn turn(*turn_, no_deadline);
  return turn.taken() ? sink_->emit(events) : EmitResult{0, 0, turn.error()};
}

std::error_code SharedSink::flush(std::chrono::steady_clock::time_point deadline) {
  const Turn turn(*turn_, deadline);
  return turn.taken() ? sink_->flush(deadline) : turn.error();
}

std::error_code SharedSink::reopen() {
  const Turn turn(*turn_, no_deadline);
  return turn.taken() ? sink_->reopen() : turn.error();
}

}  // namespace cairn::detail
