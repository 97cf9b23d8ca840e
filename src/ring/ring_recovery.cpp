#include "ring/ring_recovery.hpp"

#include <algorithm>

namespace cairn::detail {

void RingRecovery::add_folder(const std::shared_ptr<RingFolder>& folder) {
  for (const std::string& name : folder->names()) add(folder, name);
}

void RingRecovery::add(const std::shared_ptr<RingFolder>& folder, const std::string& name) {
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
  source->reader = std::make_unique<RingReader>(source->ring->bytes(), boot_id_, TscClock::sample(), source->types);
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
    take(source.event);
    source.taken = number + 1;
    ++report_.events;
    source.has_event = source.reader->next(source.event);
    if (source.has_event) {
      std::push_heap(heap.begin(), heap.end(), later);
    } else {
      heap.pop_back();
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
    source->ring->drop_bytes();
    if (!going_on) continue;
    ++report_.rings;
    if (!keep_) source->ring->remove();
  }
  return std::move(report_);
}

}  // namespace cairn::detail
