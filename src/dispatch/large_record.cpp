#include "dispatch/large_record.hpp"

#include <cstring>
#include <mutex>
#include <new>

#include "cairn/detail/fork_mutex.hpp"
#include "platform/made_once.hpp"

namespace cairn::detail {

/// Those that may give up their bytes. Its lock is held for a few stores.
struct LargeRecord::List {
  ForkMutex mutex;
  LargeRecord* oldest = nullptr;
  LargeRecord* newest = nullptr;
};

LargeRecord::List& LargeRecord::list() noexcept {
  static constinit MadeOnce<List> made;  // never destroyed: lanes may outlive every static
  return made.get();
}

std::unique_ptr<LargeRecord> LargeRecord::make(const RecordHeader& record, const std::shared_ptr<HeldShare>& share) {
  const std::size_t charge = record.size() + sizeof(Event) + EventBatch::overhead;
  if (share && !share->take(charge)) return nullptr;
  if (!process_memory().charge(charge)) {
    if (share) share->give(charge);
    return nullptr;
  }
  try {
    return std::unique_ptr<LargeRecord>(new LargeRecord(record, share, charge));
  } catch (...) {
    process_memory().release(charge);
    if (share) share->give(charge);
    throw;
  }
}

LargeRecord::LargeRecord(const RecordHeader& from, const std::shared_ptr<HeldShare>& share, std::size_t charged)
    : head_(from), size_(from.size()), bytes_(make_memory_piece(size_)), charged_(charged), share_(share) {
  std::memcpy(bytes_.get(), &from, size_);
  record = reinterpret_cast<const std::byte*>(&head_);
  destroy = [](LaneJumbo* self) noexcept { delete static_cast<LargeRecord*>(self); };
  if (share_) return;
  List& all = list();
  const std::lock_guard lock(all.mutex);
  listed_ = true;
  older_ = all.newest;
  (older_ != nullptr ? older_->newer_ : all.oldest) = this;
  all.newest = this;
}

LargeRecord::~LargeRecord() {
  (void)hold();
  process_memory().release(charged_);
  if (share_) share_->give(charged_);
}

/// Under the lock.
void LargeRecord::unlink() noexcept {
  List& all = list();
  (older_ != nullptr ? older_->newer_ : all.oldest) = newer_;
  (newer_ != nullptr ? newer_->older_ : all.newest) = older_;
  listed_ = false;
}

const RecordHeader* LargeRecord::hold() noexcept {
  if (!share_) {
    const std::lock_guard lock(list().mutex);
    if (listed_) unlink();
  }
  return reinterpret_cast<const RecordHeader*>(bytes_.get());
}

std::shared_ptr<EventBatch> LargeRecord::into_batch(const std::shared_ptr<HeldShare>& share, std::size_t sides) {
  auto batch = EventBatch::around(bytes_, size_, charged_, sides, share);
  if (!batch) return nullptr;
  if (share_) share_->give(charged_);
  charged_ = 0;
  return batch;
}

bool LargeRecord::give_up_oldest() noexcept {
  MemoryPiece bytes;
  std::size_t charged = 0;
  {
    const std::lock_guard lock(list().mutex);
    LargeRecord* const oldest = list().oldest;
    if (oldest == nullptr) return false;
    oldest->unlink();
    bytes = std::move(oldest->bytes_);
    charged = std::exchange(oldest->charged_, 0);
  }
  bytes.reset();
  process_memory().release(charged);
  return true;
}

void LargeRecord::forget_all() noexcept { list().oldest = list().newest = nullptr; }

}  // namespace cairn::detail
