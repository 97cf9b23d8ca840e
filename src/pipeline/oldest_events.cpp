#include "pipeline/oldest_events.hpp"

#include <vector>

#include "pipeline/sink_stage.hpp"
#include "pipeline/stage_registry.hpp"

namespace cairn::detail {

namespace {

struct Candidate {
  SinkWorker* worker;
  EventQueue::Front front;
};

[[nodiscard]] bool goes_before(const EventQueue::Front& a, const EventQueue::Front& b) noexcept {
  return a.protect != b.protect ? b.protect : a.time < b.time;
}

/// What a queue that blocks shares with others is not worth dropping from these, as it stays where it is.
[[nodiscard]] bool stays(const Candidate& one, const std::vector<Candidate>& all) noexcept {
  if (!one.front.batch->share()) return false;
  long held = 0;  // each of the candidates holds the batch twice: in its queue, and here
  for (const Candidate& other : all) held += other.front.batch == one.front.batch ? 2 : 0;
  return one.front.batch.use_count() > held;
}

}  // namespace

bool drop_oldest_queued_events() noexcept {
  try {
    std::vector<Candidate> candidates;  // before what was dropped, so that it ends after the lock
    std::vector<EventRange> dropped;    // what goes with it may run the program's code: under no lock
    with_all_stages([&](std::span<SinkStage* const> stages) {
      for (SinkStage* stage : stages) {
        SinkWorker* worker = stage->worker();
        if (worker == nullptr) continue;
        if (EventQueue::Front front = worker->front(); front.batch) candidates.push_back({worker, std::move(front)});
      }
      const Candidate* oldest = nullptr;
      for (const Candidate& candidate : candidates) {
        if (stays(candidate, candidates)) continue;
        if (oldest == nullptr || goes_before(candidate.front, oldest->front)) oldest = &candidate;
      }
      if (oldest == nullptr) return;
      for (const Candidate& candidate : candidates) {
        if (candidate.front.batch == oldest->front.batch && candidate.front.protect == oldest->front.protect)
          candidate.worker->drop_front(*oldest->front.batch, dropped);
      }
    });
    return !dropped.empty();
  } catch (...) {  // no memory to look for some
    return false;
  }
}

}  // namespace cairn::detail
