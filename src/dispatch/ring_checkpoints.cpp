#include "dispatch/ring_checkpoints.hpp"

#include <chrono>

namespace cairn::detail {

namespace {
/// Where a sink hangs, no more are kept: the last one then covers what comes.
constexpr std::size_t most_checkpoints = 4096;
/// Who hands over holds the lock for microseconds, or until it is scheduled again.
constexpr auto patience = std::chrono::milliseconds(500);
}  // namespace

std::shared_ptr<RingCheckpoints> RingCheckpoints::watch(Pipeline& pipeline) {
  auto made = std::make_shared<RingCheckpoints>();
  for (const auto& sink : pipeline.sinks()) {
    Chain& chain = made->chains_.emplace_back();
    for (SinkStage* stage = sink.get(); stage != nullptr; stage = stage->fallback()) {
      chain.push_back(stage);
      if (SinkWorker* worker = stage->worker(); worker != nullptr) worker->tell_settled([made] { made->settle(); });
    }
  }
  return made;
}

bool RingCheckpoints::done(const Chain& chain, Progress& progress) noexcept {
  while (progress.stage < chain.size()) {
    SinkWorker* const worker = chain[progress.stage]->worker();
    if (worker != nullptr && worker->settled() < progress.wanted) return false;
    // What it diverted is with its fallback by now.
    ++progress.stage;
    if (progress.stage < chain.size()) {
      SinkWorker* const next = chain[progress.stage]->worker();
      progress.wanted = next != nullptr ? next->pushed() : 0;
    }
  }
  return true;
}

void RingCheckpoints::add(Pending& pending, std::vector<Position> positions) {
  if (positions.empty()) return;
  Checkpoint fresh;
  fresh.positions = std::move(positions);
  for (const Chain& chain : chains_) {
    SinkWorker* const worker = chain.front()->worker();
    fresh.chains.push_back({0, worker != nullptr ? worker->pushed() : 0});
  }
  if (pending.checkpoints.size() < most_checkpoints) {
    pending.checkpoints.push_back(std::move(fresh));
    return;
  }
  Checkpoint& last = pending.checkpoints.back();
  for (Position& position : fresh.positions) {
    bool known = false;
    for (Position& older : last.positions) {
      if (older.ring != position.ring) continue;
      older.number = position.number;
      known = true;
    }
    if (!known) last.positions.push_back(std::move(position));
  }
  last.chains = std::move(fresh.chains);
}

void RingCheckpoints::settle() noexcept {
  try {
    Pending& pending = pending_.get();
    // Where a filter of a sink hangs while events are handed over, the sinks wait once and then go on: the dispatcher
    // settles when it is back.
    const bool hangs = hangs_.load(std::memory_order_relaxed);  // relaxed: a hint
    const auto now = std::chrono::steady_clock::now();
    const std::unique_lock held(pending.lock, hangs ? now : now + patience);
    if (held.owns_lock() == hangs) hangs_.store(!hangs, std::memory_order_relaxed);
    if (!held.owns_lock()) return;
    while (!pending.checkpoints.empty()) {
      Checkpoint& oldest = pending.checkpoints.front();
      for (std::size_t i = 0; i < chains_.size(); ++i) {
        if (!done(chains_[i], oldest.chains[i])) return;
      }
      for (const Position& position : oldest.positions) position.ring->acknowledge(position.number);
      pending.checkpoints.pop_front();
    }
  } catch (...) {  // a child without memory: it has no rings either
  }
}

void RingCheckpoints::end() noexcept {
  try {
    Pending& pending = pending_.get();
    std::deque<Checkpoint> dropped;
    // Where it is held, a sink's filter hangs, and nothing of this ends before the process.
    const std::unique_lock held(pending.lock, std::chrono::steady_clock::now() + std::chrono::milliseconds(10));
    if (held.owns_lock()) dropped.swap(pending.checkpoints);
  } catch (...) {  // as above
  }
}

}  // namespace cairn::detail
