#include "lifecycle/shutdown_sequence.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <thread>

#include "cairn/detail/capture_writer.hpp"
#include "platform/fork_generation.hpp"
#include "platform/no_cancellation.hpp"
#include "platform/own_thread.hpp"

namespace cairn::detail {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t most_at_once = 4;
constexpr auto immediately = std::chrono::milliseconds(4);  // of the 10 ms that it may take
constexpr auto longest = std::chrono::hours(24);

constinit thread_local const ShutdownSequence* sequence_of_thread = nullptr;

std::chrono::nanoseconds time_of(const ShutdownStrategy& strategy) noexcept {
  if (strategy.kind() == ShutdownStrategy::Kind::immediate) return immediately;
  return std::clamp<std::chrono::nanoseconds>(strategy.timeout(), std::chrono::nanoseconds(0), longest);
}

}  // namespace

/// A handler, and what comes of it. All that this takes is there when it is registered: where there is no memory by the
/// time of the shutdown, it runs all the same. Shared with its thread, which may outlive the shutdown.
struct ShutdownSequence::Handler {
  std::uint64_t id = 0;
  ShutdownHandler handler;
  ShutdownHandlerOptions options;
  // Guarded by the sequence's lock:
  Time deadline{};
  bool started = false;
  bool done = false;
  bool late = false;  // done or not: its time was over
  ShutdownHandlerStatus status = ShutdownHandlerStatus::completed;
  std::string error{};
};

bool ShutdownSequence::runs_here() const noexcept { return sequence_of_thread == this; }

ShutdownHandlerId ShutdownSequence::add(ShutdownHandler handler, ShutdownHandlerOptions options) {
  const std::lock_guard lock(mutex_);
  if (over_) return ShutdownHandlerId{++last_id_};  // it would only be kept
  if (options.name.empty()) options.name = "handler " + std::to_string(last_id_ + 1);
  room_.reserve(handlers_.size() + 1);
  handlers_.push_back(std::make_shared<Handler>(Handler{last_id_ + 1, std::move(handler), std::move(options)}));
  return ShutdownHandlerId{++last_id_};
}

bool ShutdownSequence::remove(ShutdownHandlerId handler) noexcept {
  const auto id = static_cast<std::uint64_t>(handler);
  std::shared_ptr<Handler> removed;  // its function may do anything when it goes: under no lock
  const std::lock_guard lock(mutex_);
  const auto at = std::find_if(handlers_.begin(), handlers_.end(), [&](const auto& h) { return h->id == id; });
  if (at == handlers_.end()) return false;
  removed = std::move(*at);
  handlers_.erase(at);
  return !removed->started;
}

bool ShutdownSequence::begun() const noexcept {
  const std::lock_guard lock(mutex_);
  return state_ != State::open;
}

bool ShutdownSequence::finished() const noexcept {
  const std::lock_guard lock(mutex_);
  return state_ == State::finished;
}

void ShutdownSequence::reset() noexcept {
  ShutdownReport report;  // of which what goes takes time: under no lock
  const std::lock_guard lock(mutex_);
  if (state_ != State::finished) return;
  state_ = State::open;
  begin_handlers_anew();
  std::swap(report_, report);
}

/// Under the lock. One whose thread is still at it is left to that thread; without memory for another it does not run.
void ShutdownSequence::begin_handlers_anew() noexcept {
  for (std::shared_ptr<Handler>& handler : handlers_) {
    if (handler->started && !handler->done) {
      try {
        handler = std::make_shared<Handler>(Handler{handler->id, handler->handler, handler->options});
      } catch (...) {
      }
    } else {
      handler->started = handler->done = handler->late = false;
    }
  }
}

ShutdownSequence::Kind ShutdownSequence::kind() const noexcept {
  const std::lock_guard lock(mutex_);
  return kind_;
}

ShutdownSequence::Time ShutdownSequence::deadline() const noexcept {
  const std::lock_guard lock(mutex_);
  return deadline_;
}

bool ShutdownSequence::is_the_parents() const noexcept {
  return state_ == State::running && process_ != fork_generation();
}

void ShutdownSequence::wait(std::chrono::nanoseconds timeout) noexcept {
  const Time until =
      Steady::now() + std::clamp<std::chrono::nanoseconds>(timeout, std::chrono::nanoseconds(0), longest);
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [&] { return state_ == State::finished || is_the_parents(); });
}

ShutdownReport ShutdownSequence::execute(const ShutdownStrategy& strategy, const Ending& ending) noexcept {
  ShutdownReport report;
  const NoCancellation uncancelled;
  const Time begun = Steady::now();
  try {
    {
      std::unique_lock lock(mutex_);
      if (state_ == State::finished) return report_;
      if (state_ == State::running) {  // whoever is in more of a hurry decides
        deadline_ = std::min(deadline_, begun + time_of(strategy));
        kind_ = std::min(kind_, strategy.kind());
        changed_.notify_all();
        const auto finished = [&] { return state_ == State::finished; };
        constexpr auto to_report = std::chrono::milliseconds(3);
        if (!runs_here() && !is_the_parents() && changed_.wait_until(lock, deadline_ + to_report, finished))
          return report_;
        report.status = ShutdownStatus::in_progress;
        report.elapsed = Steady::now() - begun;
        return report;
      }
      state_ = State::running;
      process_ = fork_generation();
      begun_ = begun;
      deadline_ = begun + time_of(strategy);
      kind_ = strategy.kind();
    }
    try {
      run_handlers(report.handlers, !ending);
    } catch (const abi::__forced_unwind&) {
      throw;
    } catch (...) {  // no memory: what follows them is no less due
      report.status = ShutdownStatus::timed_out;
    }
    for (const ShutdownHandlerResult& handler : report.handlers) {
      const bool late = handler.status == ShutdownHandlerStatus::timed_out ||
                        (handler.status == ShutdownHandlerStatus::not_run && strategy.kind() != Kind::immediate);
      if (late) report.status = ShutdownStatus::timed_out;
    }
    if (ending) ending(*this, report);
  } catch (...) {  // no memory
    report.status = ShutdownStatus::timed_out;
  }
  report.elapsed = Steady::now() - begun;
  ShutdownReport kept;  // for those who call again
  kept.status = report.status;
  kept.elapsed = report.elapsed;
  try {
    kept = report;
  } catch (...) {  // no memory for the details
  }
  change([&] {
    state_ = State::finished;
    std::swap(report_, kept);
  });
  if (ending) let_handlers_go();
  return report;
}

/// They will not run again, and may hold the very logger that holds them. What goes with them may do anything.
void ShutdownSequence::let_handlers_go() noexcept {
  try {
    const auto gone = std::make_shared<std::vector<std::shared_ptr<Handler>>>();
    change([&] {
      over_ = true;
      gone->swap(handlers_);
    });
    if (gone->empty()) return;
    const auto done = std::make_shared<bool>(false);
    start([self = shared_from_this(), gone, done] {
      gone->clear();
      self->change([&] { *done = true; });
    });
    (void)await([&](Kind) { return *done; });
  } catch (...) {  // no memory: they stay
  }
}

/// The threads of a shutdown that runs are the parent's. A child has its own to come; but what one of those threads
/// forks is a part of that shutdown, and must not do it all once more.
void ShutdownSequence::after_fork(bool child) noexcept {
  if (child) {
    new (&changed_) std::condition_variable;
    if (state_ == State::running) {
      state_ = runs_here() ? State::finished : State::open;
      report_ = {};
      report_.status = ShutdownStatus::in_progress;
      for (const auto& handler : handlers_) handler->started = handler->done = handler->late = false;
    }
  }
  held_for_fork_.let_go(mutex_, child);
}

// ---- threads that may be left behind

void ShutdownSequence::run(const std::function<void()>& task) {
  const ShutdownSequence* const before = std::exchange(sequence_of_thread, this);
  try {
    task();
  } catch (const abi::__forced_unwind&) {
    throw;  // the thread is being ended
  } catch (...) {
  }
  sequence_of_thread = before;
}

bool ShutdownSequence::start_aside(const std::function<void()>& task) noexcept {
  try {
    own_thread("cairn-shutdown", [self = shared_from_this(), task] { self->run(task); }).detach();
    return true;
  } catch (...) {
    return false;
  }
}

// ---- handlers

/// Under the lock, which is let go meanwhile.
void ShutdownSequence::start_handler(const std::shared_ptr<Handler>& handler, std::unique_lock<std::mutex>& lock) {
  handler->deadline = Steady::now() + std::clamp<std::chrono::nanoseconds>(handler->options.timeout,
                                                                           std::chrono::nanoseconds(0), longest);
  handler->started = true;
  lock.unlock();
  start([self = shared_from_this(), handler] {
    struct Ends {  // also if the handler ends its thread
      ShutdownSequence& sequence;
      Handler& handler;
      ShutdownHandlerStatus status = ShutdownHandlerStatus::completed;
      std::string error{};
      ~Ends() {
        sequence.change([&] {
          handler.status = status;
          handler.error.swap(error);
          handler.done = true;
        });
      }
    } ends{*self, *handler};
    try {
      handler->handler.call()();
    } catch (const abi::__forced_unwind&) {
      throw;
    } catch (...) {
      char what[256];
      current_exception_text(what);
      ends.status = ShutdownHandlerStatus::threw;
      ends.error = what;
    }
  });
  lock.lock();
}

/// Throws std::bad_alloc where there is no memory to tell of them: all of them ran.
void ShutdownSequence::run_handlers(std::vector<ShutdownHandlerResult>& results, bool all_the_time) {
  struct Borrowed {
    ShutdownSequence& sequence;
    std::vector<std::shared_ptr<Handler>> handlers{};
    ~Borrowed() {
      handlers.clear();  // under no lock: some may have been removed meanwhile
      sequence.change([this] {
        if (sequence.room_.capacity() < handlers.capacity()) sequence.room_.swap(handlers);
      });
    }
  } borrowed{*this};
  auto& handlers = borrowed.handlers;
  std::unique_lock lock(mutex_);
  handlers.swap(room_);
  handlers.assign(handlers_.begin(), handlers_.end());
  std::sort(handlers.begin(), handlers.end(), [](const auto& a, const auto& b) {
    return a->options.priority != b->options.priority ? a->options.priority > b->options.priority : a->id > b->id;
  });
  for (auto first = handlers.begin(); first != handlers.end();) {
    const int priority = (*first)->options.priority;
    const auto last =
        std::find_if(first, handlers.end(), [&](const auto& h) { return h->options.priority != priority; });
    run_group({first, last}, all_the_time, lock);
    first = last;
  }
  for (const auto& handler : handlers) {
    using Status = ShutdownHandlerStatus;
    if (!handler->started && !is_registered(*handler)) continue;
    const Status status = !handler->started ? Status::not_run : handler->late ? Status::timed_out : handler->status;
    results.push_back({handler->options.name, status, status == Status::threw ? handler->error : std::string()});
  }
}

/// Under the lock.
bool ShutdownSequence::is_registered(const Handler& handler) const noexcept {
  return std::any_of(handlers_.begin(), handlers_.end(), [&](const auto& h) { return h.get() == &handler; });
}

void ShutdownSequence::run_group(std::span<const std::shared_ptr<Handler>> group, bool all_the_time,
                                 std::unique_lock<std::mutex>& lock) {
  std::size_t next = 0;
  while (true) {
    const Time now = Steady::now();
    const Time end = handlers_end(all_the_time);
    std::size_t at_work = 0;
    Time wake = end;
    for (const auto& run : group.first(next)) {
      if (!run->started || run->done || now >= run->deadline || now >= end) continue;
      ++at_work;
      wake = std::min(wake, run->deadline);
    }
    if (now >= end || (next == group.size() && at_work == 0)) break;
    if (at_work < most_at_once && next < group.size()) {
      const std::shared_ptr<Handler>& handler = group[next++];
      if (!handler->started && is_registered(*handler)) start_handler(handler, lock);
      continue;
    }
    changed_.wait_until(lock, wake);
  }
  for (const auto& run : group) run->late = run->late || (run->started && !run->done);
}

}  // namespace cairn::detail

namespace cairn {

Shutdown::Shutdown() : sequence_(std::make_shared<detail::ShutdownSequence>()) {}
Shutdown::~Shutdown() = default;

ShutdownHandlerId Shutdown::on_shutdown(ShutdownHandler handler, ShutdownHandlerOptions options) {
  return sequence_->add(std::move(handler), std::move(options));
}
bool Shutdown::remove(ShutdownHandlerId handler) noexcept { return sequence_->remove(handler); }
ShutdownReport Shutdown::execute(const ShutdownStrategy& strategy) noexcept { return sequence_->execute(strategy, {}); }
bool Shutdown::is_shutdown() const noexcept { return sequence_->begun(); }
void Shutdown::reset() noexcept { sequence_->reset(); }

}  // namespace cairn
