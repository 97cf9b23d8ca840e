#include "pipeline/event_batch.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "cairn/detail/record.hpp"
#include "platform/made_once.hpp"
#include "template/bound_template.hpp"

namespace cairn::detail {

namespace {

/// Batches of the usual size that nobody holds: their memory is warm, and a steady flow allocates nothing.
struct Pool {
  static constexpr std::size_t most = 64;
  std::mutex mutex;
  std::vector<std::unique_ptr<EventBatch>> free;
};
Pool& pool() {
  static constinit MadeOnce<Pool> made;  // never destroyed: batches may outlive every static
  return made.get();
}

}  // namespace

std::shared_ptr<EventBatch> EventBatch::make() {
  std::unique_ptr<EventBatch> batch;
  {
    const std::unique_lock lock(pool().mutex, std::try_to_lock);  // not waited for: memory can be had elsewhere
    if (lock.owns_lock() && !pool().free.empty()) {
      batch = std::move(pool().free.back());
      pool().free.pop_back();
    }
  }
  if (!batch) {
    batch = std::make_unique<EventBatch>();
    batch->records_ = std::make_unique_for_overwrite<std::uint64_t[]>(usual_bytes / 8);
    batch->capacity_ = usual_bytes;
    batch->events_.reserve(max_events);
  }
  return {batch.release(), [](EventBatch* used) {
            std::unique_ptr<EventBatch> back(used);
            if (back->capacity_ != usual_bytes) return;
            back->clear();
            try {
              const std::unique_lock lock(pool().mutex, std::try_to_lock);
              if (lock.owns_lock() && pool().free.size() < Pool::most) pool().free.push_back(std::move(back));
            } catch (...) {  // it is freed
            }
          }};
}

void EventBatch::clear() noexcept {
  used_ = 0;
  events_.clear();
  extras_.clear();
  sides_.clear();
  extra_bytes_ = 0;
}

RecordHeader* EventBatch::add_record(const RecordHeader& record, std::size_t bytes) {
  if (used_ + bytes > capacity_) {  // a long one in an empty batch
    records_ = std::make_unique_for_overwrite<std::uint64_t[]>((bytes + 7) / 8);
    capacity_ = bytes;
  }
  auto* copy = reinterpret_cast<RecordHeader*>(reinterpret_cast<std::byte*>(records_.get()) + used_);
  std::memcpy(static_cast<void*>(copy), &record, bytes);
  used_ += bytes;
  return copy;
}

std::size_t EventBatch::cost(const Event& event) noexcept {
  std::size_t bytes = event.record_->size() + sizeof(Event);
  if (event.extras_ != nullptr) bytes += event.extras_->size_bytes();
  return bytes;
}

std::shared_ptr<EventBatch> EventBatch::copy(std::span<const Event> events) {
  auto batch = std::make_shared<EventBatch>();
  std::size_t bytes = 0;
  for (const Event& event : events) bytes += event.record_->size();
  batch->records_ = std::make_unique_for_overwrite<std::uint64_t[]>(bytes / 8);
  batch->capacity_ = bytes;
  batch->events_.reserve(events.size());
  const Event* before = nullptr;
  for (const Event& event : events) {
    RecordHeader* record = batch->add_record(*event.record_, event.record_->size());
    if (auto owner = event.bound_->weak_from_this().lock()) batch->keep(std::move(owner));  // else it lives for ever
    const auto block = [&](const PropertyBlock* from, const PropertyBlock* same, const PropertyBlock* kept) {
      if (from == nullptr || (from->empty() && from->trace_id().empty()))
        return static_cast<const PropertyBlock*>(nullptr);
      if (from == same) return kept;
      batch->extra_bytes_ += from->size_bytes();
      return static_cast<const PropertyBlock*>(&batch->extras_.emplace_back(*from));
    };
    // Neighbours mostly share their context and logger.
    const Event* last = before == nullptr ? nullptr : &batch->events_.back();
    const PropertyBlock* context =
        block(event.context_, last == nullptr ? nullptr : before->context_, last == nullptr ? nullptr : last->context_);
    const PropertyBlock* logger =
        block(event.logger_, last == nullptr ? nullptr : before->logger_, last == nullptr ? nullptr : last->logger_);
    batch->events_.emplace_back(*record, *event.bound_, context, logger, block(event.extras_, nullptr, nullptr),
                                event.max_properties_);
    before = &event;
  }
  return batch;
}

}  // namespace cairn::detail
