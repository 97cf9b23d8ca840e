#include "lifecycle/shutdown_sequence.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <thread>

#include "cairn/detail/capture_writer.hpp"
#include "platform/no_cancellation.hpp"
#include "platform/own_thread.hpp"

namespace cairn::detail {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t most_at_once = 4;
constexpr auto immediately = std::chrono::milliseconds(5);  // of the 10 ms that it may take
constexpr auto longest = std::chrono::hours(24);

constinit thread_local const ShutdownSequence* sequence_of_thread = nullptr;

std::chrono::nanoseconds time_of(const ShutdownStrategy& strategy) noexcept {
  if (strategy.kind() == ShutdownStrategy::Kind::immediate) return immediately;
  return std::clamp<std::chrono::nanoseconds>(strategy.timeout(), std::chrono::nanoseconds(0), longest);
}

}  // namespace

/// A handler at work. Shared with its thread, which may outlive the shutdown.
struct ShutdownSequence::Run {
  std::function<void()> call;
  ShutdownHandlerResult result;
  Time deadline{};
  bool done = false;  // guarded by the sequence's lock, as the result
};

bool ShutdownSequence::runs_here() const noexcept { return sequence_of_thread == this; }

ShutdownHandlerId ShutdownSequence::add(ShutdownHandler handler, ShutdownHandlerOptions options) {
  const std::lock_guard lock(mutex_);
  if (over_) return ShutdownHandlerId{++last_id_};  // it would only be kept
  if (options.name.empty()) options.name = "handler " + std::to_string(last_id_ + 1);
  handlers_.push_back({last_id_ + 1, std::move(handler), std::move(options)});
  return ShutdownHandlerId{++last_id_};
}

bool ShutdownSequence::remove(ShutdownHandlerId handler) noexcept {
  const auto id = static_cast<std::uint64_t>(handler);
  std::optional<Handler> removed;  // its function may do anything when it goes: under no lock
  const std::lock_guard lock(mutex_);
  const auto at = std::find_if(handlers_.begin(), handlers_.end(), [&](const Handler& h) { return h.id == id; });
  if (at == handlers_.end()) return false;
  const bool started = std::find(started_.begin(), started_.end(), id) != started_.end();
  removed.emplace(std::move(*at));
  handlers_.erase(at);
  return !started;
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
  const std::lock_guard lock(mutex_);
  if (state_ != State::finished) return;
  state_ = State::open;
  started_.clear();
  report_ = {};
}

ShutdownSequence::Kind ShutdownSequence::kind() const noexcept {
  const std::lock_guard lock(mutex_);
  return kind_;
}

ShutdownSequence::Time ShutdownSequence::deadline() const noexcept {
  const std::lock_guard lock(mutex_);
  return deadline_;
}

void ShutdownSequence::wait(std::chrono::nanoseconds timeout) noexcept {
  const Time until =
      Steady::now() + std::clamp<std::chrono::nanoseconds>(timeout, std::chrono::nanoseconds(0), longest);
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [&] { return state_ == State::finished; });
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
        if (!runs_here() && changed_.wait_until(lock, deadline_ + to_report, finished)) return report_;
        report.status = ShutdownStatus::in_progress;
        report.elapsed = Steady::now() - begun;
        return report;
      }
      state_ = State::running;
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
    const auto gone = std::make_shared<std::vector<Handler>>();
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
      started_.clear();
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

void ShutdownSequence::start(const std::function<void()>& task) {
  if (!start_aside(task)) run(task);  // then it takes as long as it takes
}

// ---- handlers

std::shared_ptr<ShutdownSequence::Run> ShutdownSequence::start_handler(const Handler& handler,
                                                                       std::unique_lock<std::mutex>& lock) {
  auto run = std::make_shared<Run>();
  run->call = handler.handler.call();
  run->result = {handler.options.name, ShutdownHandlerStatus::timed_out, {}};
  run->deadline = Steady::now() +
                  std::clamp<std::chrono::nanoseconds>(handler.options.timeout, std::chrono::nanoseconds(0), longest);
  started_.push_back(handler.id);
  lock.unlock();
  start([self = shared_from_this(), run] {
    struct Ends {  // also if the handler ends its thread
      ShutdownSequence& sequence;
      Run& run;
      ShutdownHandlerResult result;
      ~Ends() {
        sequence.change([&] {
          run.result = std::move(result);
          run.done = true;
        });
      }
    } ends{*self, *run, {run->result.name, ShutdownHandlerStatus::completed, {}}};
    try {
      run->call();
    } catch (const abi::__forced_unwind&) {
      throw;
    } catch (...) {
      char what[256];
      current_exception_text(what);
      ends.result.status = ShutdownHandlerStatus::threw;
      ends.result.error = what;
    }
  });
  lock.lock();
  return run;
}

void ShutdownSequence::run_handlers(std::vector<ShutdownHandlerResult>& results, bool all_the_time) {
  std::unique_lock lock(mutex_);
  std::vector<Handler> handlers = handlers_;
  std::sort(handlers.begin(), handlers.end(), [](const Handler& a, const Handler& b) {
    return a.options.priority != b.options.priority ? a.options.priority > b.options.priority : a.id > b.id;
  });
  for (auto first = handlers.begin(); first != handlers.end();) {
    const auto last = std::find_if(first, handlers.end(),
                                   [&](const Handler& h) { return h.options.priority != first->options.priority; });
    run_group({first, last}, results, all_the_time, lock);
    first = last;
  }
  lock.unlock();  // before the copies of the handlers go
}

void ShutdownSequence::run_group(std::span<const Handler> group, std::vector<ShutdownHandlerResult>& results,
                                 bool all_the_time, std::unique_lock<std::mutex>& lock) {
  std::vector<std::shared_ptr<Run>> runs;  // all that were started
  std::size_t next = 0;
  while (true) {
    const Time now = Steady::now();
    const Time end = handlers_end(all_the_time);
    std::size_t at_work = 0;
    Time wake = end;
    for (const auto& run : runs) {
      if (run->done || now >= run->deadline || now >= end) continue;
      ++at_work;
      wake = std::min(wake, run->deadline);
    }
    if (now >= end || (next == group.size() && at_work == 0)) break;
    if (at_work < most_at_once && next < group.size()) {
      const Handler& handler = group[next++];
      const bool there =
          std::any_of(handlers_.begin(), handlers_.end(), [&](const Handler& h) { return h.id == handler.id; });
      if (there) runs.push_back(start_handler(handler, lock));
      continue;
    }
    changed_.wait_until(lock, wake);
  }
  for (const auto& run : runs) results.push_back(run->result);  // one that is not done has timed out
  for (; next < group.size(); ++next) results.push_back({group[next].options.name, ShutdownHandlerStatus::not_run, {}});
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
