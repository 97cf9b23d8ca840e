#include "ring/ring_recovery.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace cairn::detail {

void RingRecovery::add_folder(const std::shared_ptr<RingFolder>& folder) {
  for (const std::string& name : folder->names(!starts_)) add(folder, name);
}

void RingRecovery::add(const std::shared_ptr<RingFolder>& folder, const std::string& name) {
  try {
    open(folder, name);
  } catch (const std::bad_alloc&) {  // of the others, some may be smaller
    report_.left_alone.push_back(folder->path() + '/' + name + ": there is no memory to read it");
  }
}

void RingRecovery::open(const std::shared_ptr<RingFolder>& folder, const std::string& name) {
  const auto leave_alone = [&](const std::string& why) {
    report_.left_alone.push_back(folder->path() + '/' + name + ": " + why);
  };
  auto source = std::make_unique<Source>();
  std::string problem;
  switch (LeftRing::claim(folder, name, !keep_, source->ring, problem)) {
    case LeftRing::Found::gone: return;
    case LeftRing::Found::in_use: ++report_.in_use; return;
    case LeftRing::Found::refused: return leave_alone(problem);
    case LeftRing::Found::claimed: break;
  }
  source->reader = std::make_unique<RingReader>(*source->ring, boot_id_, TscClock::sample(), source->types);
  if (source->reader->status() == RingReader::Status::unused) {
    if (!keep_) source->ring->remove();
    return;
  }
  if (source->reader->status() != RingReader::Status::ok) {
    if (!keep_) source->ring->leave();
    return leave_alone(source->reader->problem());
  }
  source->has_event = source->reader->next(source->event);
  if (source->has_event) source->taken = source->told = source->event.number;
  if (starts_ && source->has_event && source->reader->attempts() >= most_attempts) {
    source->ring->set_aside();
    report_.set_aside.push_back(folder->path() + '/' + source->ring->name());
    return;
  }
  sources_.push_back(std::move(source));
}

RecoveryReport RingRecovery::run(const std::function<void(RecoveredEvent&)>& take,
                                 const std::function<bool(bool)>& settle, std::size_t part) {
  // The earliest on top. Within a ring the order is that of the ring, whatever its times say.
  const auto later = [](const Source* a, const Source* b) { return a->event.time > b->event.time; };
  std::vector<Source*> heap;
  for (const auto& source : sources_) {
    if (source->has_event) heap.push_back(source.get());
  }
  std::make_heap(heap.begin(), heap.end(), later);
  std::size_t since = 0;
  bool going_on = true;
  while (going_on && !heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    Source& source = *heap.back();
    const std::uint64_t number = source.event.number;
    if (starts_ && !std::exchange(source.tried, true)) source.ring->note_attempts(source.reader->attempts() + 1);
    take(source.event);
    source.taken = number + 1;
    ++report_.events;
    source.has_event = source.reader->next(source.event);
    if (source.has_event) {
      std::push_heap(heap.begin(), heap.end(), later);
    } else {
      heap.pop_back();
      source.ring->drop_bytes();
    }
    if (++since == part) {
      since = 0;
      going_on = settle(false);
    }
  }
  going_on = going_on && settle(true);
  for (const auto& source : sources_) {
    report_.damaged += source->reader->damaged();
    report_.overwritten += source->reader->overwritten();
    report_.left_out += source->reader->left_out();
    if (!going_on) continue;
    ++report_.rings;
    if (!keep_) source->ring->remove();
  }
  return std::move(report_);
}

}  // namespace cairn::detail
