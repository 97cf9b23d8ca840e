#include "pipeline/event_batch.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "cairn/detail/record.hpp"
#include "platform/made_once.hpp"
#include "template/bound_template.hpp"

namespace cairn::detail {

namespace {

/// Batches of the usual size that nobody holds: their memory is warm, and a steady flow allocates nothing. They stay
/// charged.
struct Pool {
  static constexpr std::size_t most = 64;
  std::mutex mutex;
  std::vector<std::unique_ptr<EventBatch>> free;
};
Pool& pool() {
  static constinit MadeOnce<Pool> made;  // never destroyed: batches may outlive every static
  return made.get();
}

/// So much is charged at a time for what comes beside the records.
constexpr std::size_t extras_step = 4096;

}  // namespace

bool drop_pooled_batches() noexcept {
  std::vector<std::unique_ptr<EventBatch>> dropped;
  {
    const std::unique_lock lock(pool().mutex, std::try_to_lock);
    if (lock.owns_lock()) dropped.swap(pool().free);
  }
  return !dropped.empty();
}

// ---- the account

bool EventBatch::charge(std::size_t bytes, bool reclaim, bool in_any_case) noexcept {
  if (share_ && !share_->take(bytes, in_any_case)) return false;
  if (reclaim ? process_memory().charge(bytes) : process_memory().try_charge(bytes)) {
    charged_ += bytes;
    return true;
  }
  if (share_) share_->give(bytes);
  return false;
}

void EventBatch::release(std::size_t bytes) noexcept {
  process_memory().release(bytes);
  if (share_) share_->give(bytes);
  charged_ -= bytes;
}

/// Is what it holds charged, and `more`? If not, at least `step` are.
bool EventBatch::cover(std::size_t more, std::size_t step) noexcept {
  const std::size_t needed = bytes() + side_bytes_ + overhead + more;
  // What the first event needs is the share's whatever else that holds: it may be this batch that fills it.
  return needed <= charged_ || charge(std::max(needed - charged_, step), true, events_.empty());
}

bool EventBatch::charge_ahead() noexcept { return cover(extras_step, 4 * extras_step); }

bool EventBatch::charge_extras(const PropertyBlock& block) noexcept {
  const std::size_t more = sizeof(PropertyBlock) + block.size_bytes();
  if (!cover(more, extras_step)) return false;
  extra_bytes_ += more;
  return true;
}

bool EventBatch::charge_side(std::size_t bytes) noexcept {
  if (!cover(bytes, extras_step)) return false;
  side_bytes_ += bytes;
  return true;
}

EventBatch::~EventBatch() { release(charged_); }

// ---- making and ending

std::shared_ptr<EventBatch> EventBatch::make(std::size_t bytes, const std::shared_ptr<HeldShare>& share) {
  constexpr std::size_t usual_charge = usual_bytes + max_events * sizeof(Event) + overhead;
  std::unique_ptr<EventBatch> batch;
  if (bytes <= usual_bytes) {
    const std::unique_lock lock(pool().mutex, std::try_to_lock);  // not waited for: memory can be had elsewhere
    if (lock.owns_lock() && !pool().free.empty() && (!share || share->take(usual_charge))) {
      batch = std::move(pool().free.back());
      pool().free.pop_back();
      batch->share_ = share;
    }
  }
  if (!batch) {
    const bool usual = bytes <= usual_bytes;
    batch = std::make_unique<EventBatch>();
    batch->share_ = share;
    const std::size_t capacity = usual ? usual_bytes : bytes;
    const std::size_t events = usual ? max_events : 1;
    if (!batch->charge(capacity + events * sizeof(Event) + overhead, true)) return nullptr;
    batch->records_ = make_memory_piece(capacity);
    batch->capacity_ = capacity;
    batch->events_.reserve(events);
  }
  return {batch.release(), &EventBatch::end};
}

void EventBatch::end(EventBatch* used) noexcept {
  std::unique_ptr<EventBatch> back(used);
  if (back->capacity_ != usual_bytes || back->events_.capacity() != max_events) return;
  back->clear();
  try {
    const std::unique_lock lock(pool().mutex, std::try_to_lock);
    if (lock.owns_lock() && pool().free.size() < Pool::most) pool().free.push_back(std::move(back));
  } catch (...) {  // it is freed
  }
}

void EventBatch::clear() noexcept {
  used_ = 0;
  events_.clear();
  extras_.clear();
  sides_.clear();
  extra_bytes_ = side_bytes_ = 0;
  release(charged_ - (bytes() + overhead));
  if (share_) share_->give(charged_);
  share_ = nullptr;
}

std::shared_ptr<EventBatch> EventBatch::around(MemoryPiece& record, std::size_t bytes, std::size_t charged,
                                               std::size_t sides, const std::shared_ptr<HeldShare>& share) {
  auto batch = std::make_shared<EventBatch>();
  batch->events_.reserve(1);
  if (share && !share->take(charged + sides)) return nullptr;
  if (sides != 0 && !process_memory().charge(sides)) {
    if (share) share->give(charged + sides);
    return nullptr;
  }
  batch->share_ = share;
  batch->charged_ = charged + sides;
  batch->side_bytes_ = sides;
  batch->records_ = std::move(record);
  batch->capacity_ = batch->used_ = bytes;
  return batch;
}

RecordHeader* EventBatch::add_record(const RecordHeader& record, std::size_t bytes) noexcept {
  auto* copy = reinterpret_cast<RecordHeader*>(records_.get() + used_);
  std::memcpy(static_cast<void*>(copy), &record, bytes);
  used_ += bytes;
  return copy;
}

std::size_t EventBatch::cost(const Event& event) noexcept {
  std::size_t bytes = event.record_->size() + sizeof(Event);
  if (event.extras_ != nullptr) bytes += event.extras_->size_bytes();
  return bytes;
}

std::size_t EventBatch::cost(std::span<const Event> events) noexcept {
  std::size_t bytes = 0;
  for (const Event& event : events) bytes += cost(event);
  return bytes;
}

std::shared_ptr<EventBatch> EventBatch::copy(std::span<const Event> events, const std::shared_ptr<HeldShare>& share,
                                             bool reclaim) {
  const auto counts = [](const PropertyBlock* block) {
    return block != nullptr && !(block->empty() && block->trace_id().empty());
  };
  // Neighbours mostly share their context and logger.
  std::size_t record_bytes = 0;
  std::size_t extra_bytes = 0;
  const Event* before = nullptr;
  for (const Event& event : events) {
    record_bytes += event.record_->size();
    if (counts(event.context_) && (before == nullptr || event.context_ != before->context_))
      extra_bytes += event.context_->size_bytes();
    if (counts(event.logger_) && (before == nullptr || event.logger_ != before->logger_))
      extra_bytes += event.logger_->size_bytes();
    if (counts(event.extras_)) extra_bytes += event.extras_->size_bytes();
    if ((before == nullptr || event.bound_ != before->bound_) && !event.bound_->weak_from_this().expired())
      extra_bytes += event.bound_->memory_bytes();  // else it lives for ever
    before = &event;
  }

  auto batch = std::make_shared<EventBatch>();
  batch->share_ = share;
  if (!batch->charge(record_bytes + events.size() * sizeof(Event) + extra_bytes + overhead, reclaim)) return nullptr;
  batch->records_ = make_memory_piece(record_bytes);
  batch->capacity_ = record_bytes;
  batch->events_.reserve(events.size());
  batch->extra_bytes_ = extra_bytes;
  before = nullptr;
  for (const Event& event : events) {
    RecordHeader* record = batch->add_record(*event.record_, event.record_->size());
    if (before == nullptr || event.bound_ != before->bound_) {
      if (auto owner = event.bound_->weak_from_this().lock()) batch->keep(std::move(owner));
    }
    const auto block = [&](const PropertyBlock* from, const PropertyBlock* same, const PropertyBlock* kept) {
      if (!counts(from)) return static_cast<const PropertyBlock*>(nullptr);
      if (from == same) return kept;
      return static_cast<const PropertyBlock*>(&batch->extras_.emplace_back(*from));
    };
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
