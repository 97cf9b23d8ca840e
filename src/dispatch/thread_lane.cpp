#include "dispatch/thread_lane.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <thread>
#include <utility>

#include "cairn/detail/record.hpp"
#include "platform/no_cancellation.hpp"

namespace cairn::detail {

static_assert(LaneCursor::shift == WriteWindow::cursor_shift);
static_assert(RecordWord::side_entry == RecordHeader::side_entry && RecordWord::size_shift == RecordHeader::size_shift);

// ---- memory

namespace {
// relaxed: numbers that guard nothing
std::atomic<std::uint64_t> lane_bytes{0};
std::atomic<std::uint64_t> blocking_bytes{0};  // of these: where a sink blocks

void give_back(std::atomic<std::uint64_t>& to, std::uint64_t bytes) noexcept {
  std::uint64_t used = to.load(std::memory_order_relaxed);
  // a child in which a handler forked meanwhile has forgotten them
  while (!to.compare_exchange_weak(used, used - std::min(used, bytes), std::memory_order_relaxed)) {
  }
}
}  // namespace

namespace {

/// Of so many bytes at most, or the smallest.
LaneShape shape_within(std::uint64_t most, LaneShape shape) noexcept {
  constexpr LaneShape smallest;
  while (shape.region_bytes() > most && shape.slots > smallest.slots)
    shape.slots = std::max(smallest.slots, shape.slots / 2);
  while (shape.region_bytes() > most && shape.block_bytes > smallest.block_bytes) shape.block_bytes /= 2;
  return shape;
}

/// Nothing: there is no room for the smallest.
std::optional<LaneShape> shape_beside(std::uint64_t used, const LaneShape& wanted) noexcept {
  const std::uint64_t most = process_memory().max_bytes() / 2;
  const std::uint64_t left = most - std::min(most, used);
  const LaneShape shape = shape_within(left / 4, wanted);
  if (shape.region_bytes() > left) return std::nullopt;
  return shape;
}

}  // namespace

std::optional<LaneShape> LaneMemory::shape_without(std::uint64_t pooled, const LaneShape& wanted) noexcept {
  const std::uint64_t used = lane_bytes.load(std::memory_order_relaxed);
  return shape_beside(used - std::min(used, pooled), wanted);
}

std::unique_ptr<LaneMemory> LaneMemory::make(const LaneShape& wanted) {
  LaneShape shape = wanted;
  std::uint64_t used = lane_bytes.load(std::memory_order_relaxed);
  do {
    const std::optional<LaneShape> fits = shape_beside(used, wanted);
    if (!fits) return nullptr;
    shape = *fits;
  } while (!lane_bytes.compare_exchange_weak(used, used + shape.region_bytes(), std::memory_order_relaxed));
  if (!process_memory().charge(shape.region_bytes())) {
    lane_bytes.fetch_sub(shape.region_bytes(), std::memory_order_relaxed);
    return nullptr;
  }
  try {
    return std::unique_ptr<LaneMemory>(new LaneMemory(shape));
  } catch (...) {
    lane_bytes.fetch_sub(shape.region_bytes(), std::memory_order_relaxed);
    process_memory().release(shape.region_bytes());
    throw;
  }
}

LaneMemory::ShareToBlock::ShareToBlock(const LaneShape& wanted) noexcept {
  const std::uint64_t most = process_memory().max_bytes() / 4;
  std::uint64_t used = blocking_bytes.load(std::memory_order_relaxed);
  do {  // taken as it is found: threads that begin at once find what the others leave
    if (used >= most) {
      shape_.reset();
      return;
    }
    shape_ = shape_within((most - used) / 16, wanted);
  } while (!blocking_bytes.compare_exchange_weak(used, used + shape_->region_bytes(), std::memory_order_relaxed));
}

LaneMemory::ShareToBlock::~ShareToBlock() {
  if (shape_) give_back(blocking_bytes, shape_->region_bytes());
}

void LaneMemory::use(ShareToBlock share) noexcept {
  use();
  blocks_ = true;
  give_back(blocking_bytes, share.shape_->region_bytes() - shape_.region_bytes());
  share.shape_.reset();
}

void LaneMemory::use() noexcept {
  if (std::exchange(blocks_, false)) give_back(blocking_bytes, shape_.region_bytes());
}

void LaneMemory::forget_all() noexcept {
  lane_bytes.store(0, std::memory_order_relaxed);
  blocking_bytes.store(0, std::memory_order_relaxed);
}

LaneMemory::LaneMemory(const LaneShape& shape) : shape_(shape) {
  void* memory =
      mmap(nullptr, shape.region_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  region_ = static_cast<std::byte*>(memory);
  // A thread whose reader keeps up goes round in these; a first touch costs microseconds.
  for (std::size_t at = 0; at < std::min<std::size_t>(3, shape.blocks()) * shape.block_bytes; at += 4096)
    region_[at] = std::byte{};
}

LaneMemory::~LaneMemory() {
  use();
  munmap(region_, shape_.region_bytes());
  give_back(lane_bytes, shape_.region_bytes());
  process_memory().release(shape_.region_bytes());
}

// ---- the thread's side

ThreadLane::ThreadLane(std::shared_ptr<LaneRoot> root, std::unique_ptr<LaneMemory> memory)
    : root_(std::move(root)),
      memory_(std::move(memory)),
      blocks_(!root_->blocking.empty()),
      lane_(memory_->shape(), memory_->region()),
      reader_(lane_) {
  root_->lane_count.fetch_add(1, std::memory_order_relaxed);
}

void ThreadLane::close_window() noexcept {
  if (write_window.root_key == root_->key) write_window.close();
  settle_credit();
}

namespace {
bool is_empty(const ContextInForce& context) noexcept {
  return context.block.empty() && context.block.trace() == nullptr;
}
}  // namespace

/// Has entry_ hold that context as a side entry. Gives its size; 0: there is no memory.
std::size_t ThreadLane::context_entry(const ContextInForce& context) noexcept {
  if (entry_version_ == context.version) return entry_size_;
  const std::size_t properties = context.block.size_bytes();
  const char* trace = context.block.trace();
  const std::size_t traced = trace != nullptr ? PropertyBlock::trace_size : 0;
  const std::size_t size = (sizeof(SideEntryHeader) + properties + traced + 7) & ~std::size_t{7};
  if (size > entry_.capacity) {
    try {
      entry_.grow(size, 0);
    } catch (const std::bad_alloc&) {
      return 0;  // the events go on with the context before: better than none
    }
  }
  SideEntryHeader header;
  header.size_and_flags = RecordWord::make(size, RecordWord::side_entry);
  header.bytes = static_cast<std::uint32_t>(properties);
  header.traced = traced != 0 ? 1 : 0;
  std::memcpy(entry_.data, &header, sizeof(header));
  if (properties != 0) std::memcpy(entry_.data + sizeof(header), context.block.data(), properties);
  if (traced != 0) std::memcpy(entry_.data + sizeof(header) + properties, trace, traced);
  entry_size_ = size;
  entry_version_ = context.version;
  return size;
}

bool ThreadLane::open_block(const ContextInForce& context, RoomWait& wait) noexcept {
  while (!root_->blocking.empty() && lane_.next_block_drops()) {  // those who wait for room wait here, too
    if (!wait.pause()) return false;
  }
  context_is_empty_ = is_empty(context);
  if (context_is_empty_) {
    lane_.open_block(0);
  } else {
    const std::size_t size = context_entry(context);
    lane_.open_block(0, entry_.data, size);
    if (size != 0) written_.add(lane_.block_sequence(), context.version, 0, false);
  }
  context_version_ = context.version;
  if (caller_hints.dispatcher_rests.load(std::memory_order_relaxed) == CallerHints::dozing)
    request_sweep();  // so many are not the few it counts on
  return true;
}

/// Has that context of the block's hold again, with room for `bytes` behind.
bool ThreadLane::append_again(const WrittenContexts::Place& known, std::uint64_t version, std::size_t bytes) noexcept {
  SideEntryHeader again;
  again.size_and_flags = RecordWord::make(sizeof(again), RecordWord::side_entry);
  again.kind = SideEntryHeader::Kind::context_again;
  again.bytes = known.offset;
  if (sizeof(again) + bytes > static_cast<std::size_t>(lane_.end() - lane_.position())) return false;
  (void)lane_.append(reinterpret_cast<const std::byte*>(&again), sizeof(again));
  context_version_ = version;
  context_is_empty_ = known.is_empty;
  return true;
}

/// Room for `bytes` behind that context.
bool ThreadLane::make_room(const ContextInForce& context, std::size_t bytes, RoomWait& wait) noexcept {
  if (lane_.position() == nullptr) return open_block(context, wait);
  const bool empty = is_empty(context);
  const auto room = static_cast<std::size_t>(lane_.end() - lane_.position());
  if (context_version_ == context.version || (empty && context_is_empty_)) {
    if (bytes > room) return open_block(context, wait);
  } else if (const auto* const known = written_.find(lane_.block_sequence(), context.version)) {
    return append_again(*known, context.version, bytes) || open_block(context, wait);
  } else {
    const std::size_t entry = context_entry(context);
    if (entry + bytes > room) return open_block(context, wait);
    if (entry != 0) {
      written_.add(lane_.block_sequence(), context.version, lane_.block_offset(), empty);
      (void)lane_.append(entry_.data, entry);  // the room was looked at
    }
  }
  context_version_ = context.version;
  context_is_empty_ = empty;
  return true;
}

bool ThreadLane::get_credit(Level level, RoomWait& wait) noexcept {
  if (root_->blocking.empty() || credit_ != 0) return true;
  const std::uint32_t lanes = std::max(1U, root_->lane_count.load(std::memory_order_relaxed));
  std::uint64_t most = 128;  // what threads hold without using it is never more than a part of the queue
  for (const BlockingSink& sink : root_->blocking) most = std::min<std::uint64_t>(most, sink.max_size / (8UL * lanes));
  most = std::max<std::uint64_t>(most, 1);
  for (std::size_t i = 0; i < root_->blocking.size(); ++i) {
    const BlockingSink& sink = root_->blocking[i];
    std::uint64_t taken = sink.credit->take_now(most);
    // What is reserved is for this event alone: what comes after it may be of another level.
    const bool is_protected = sink.protect && level >= *sink.protect;
    const auto whom = is_protected ? Credit::For::the_protected : Credit::For::all;
    const std::uint64_t wanted = is_protected ? 1 : most;
    if (taken == 0 && is_protected) taken = sink.credit->take_now(wanted, whom);
    if (taken == 0 && wait.waits()) {
      request_sweep();  // what fills the queue may still be in the lanes, and not be for this sink
      taken = sink.credit->take(wanted, wait.begun() + sink.timeout, whom);
    }
    for (std::size_t before = 0; before < i; ++before) root_->blocking[before].credit->give(most - taken);
    most = taken;
    if (taken == 0) return false;
  }
  credit_ = most;
  return true;
}

/// Takes the credit for what was written since it was asked last.
void ThreadLane::settle_credit() noexcept {
  const std::uint64_t written = lane_.written();
  credit_ -= std::min(credit_, written - settled_);
  settled_ = written;
}

void ThreadLane::give_credit_back() noexcept {
  for (const BlockingSink& sink : root_->blocking) sink.credit->give(credit_);
  credit_ = 0;
}

void ThreadLane::open_window_to(std::byte* end, std::uint64_t key) noexcept {
  WriteWindow& window = write_window;
  window.cursor_now = lane_.cursor_word()->load(std::memory_order_relaxed);
  window.end = end;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  // A signal handler may have changed the context since it was looked at, or forked, and that before there was an end
  // to take away. In the child the thread has no lane, and this one is its parent's.
  const ThreadState& thread = *current_thread_state;
  if (thread.context_version != context_version_ || thread.attachments == nullptr) window.end = nullptr;
  std::atomic_signal_fence(std::memory_order_seq_cst);  // only a whole window is open to a signal handler's call
  window.root_key = key;
}

void ThreadLane::show_window(std::size_t bytes) noexcept {
  WriteWindow& window = write_window;
  window.cursor = lane_.cursor_word();
  window.max_string = root_->limits.string_bytes;
  window.max_record = static_cast<std::uint32_t>(most_record());
  window.keeps_in_ring = ring_ != nullptr;
  window.lane = this;
  most_seen_ = caller_hints.most_event_bytes.load(std::memory_order_relaxed);
  std::byte* end = lane_.end();
  if (!root_->blocking.empty()) {
    // So many bytes that the credit is enough, however small the records after this one are.
    const std::uint64_t allowed = credit_ == 0 ? 0 : bytes + (credit_ - 1) * sizeof(RecordHeader);
    if (allowed < static_cast<std::uint64_t>(end - lane_.position())) end = lane_.position() + allowed;
  }
  open_window_to(end, root_->key);
}

std::size_t ThreadLane::most_record() const noexcept {
  constexpr std::size_t most_context = 5 * 1024;  // the context's limit, and what stands around it
  const std::size_t room = lane_.shape().room() - most_context;
  return std::min<std::size_t>({room, root_->limits.event_bytes, process_memory().max_event_bytes()});
}

ThreadLane::Opened ThreadLane::open_window(const ContextInForce& context, std::size_t bytes) noexcept {
  close_window();
  if (root_->by_bytes) return Opened::no_credit;  // they are taken where the record is known
  RoomWait none(*root_, false);
  // Of whatever level: what is reserved for some is not for it.
  if (!get_credit(Level::verbose, none) || !make_room(context, bytes, none)) return Opened::no_credit;
  show_window(bytes);
  return Opened::yes;
}

/// Whether the window may be opened again as it was.
bool ThreadLane::window_holds(std::size_t bytes) const noexcept {
  return !blocks_ && bytes <= write_window.max_record &&
         caller_hints.most_event_bytes.load(std::memory_order_relaxed) == most_seen_;
}

bool ThreadLane::change_context(std::uint64_t key, std::size_t bytes, std::uint64_t version) noexcept {
  const auto* const known = written_.find(lane_.block_sequence(), version);
  if (known == nullptr || !window_holds(bytes) || !append_again(*known, version, bytes)) return false;
  open_window_to(lane_.end(), key);
  return true;
}

bool ThreadLane::next_block(std::uint64_t key, std::size_t bytes) noexcept {
  if (!window_holds(bytes)) return false;
  if (!context_is_empty_ && entry_version_ != context_version_) return false;
  lane_.open_block(0, entry_.data, context_is_empty_ ? 0 : entry_size_);
  open_window_to(lane_.end(), key);
  if (caller_hints.dispatcher_rests.load(std::memory_order_relaxed) == CallerHints::dozing) request_sweep();
  return true;
}

/// A record in memory of its own. Null: there is no room in the budget, nor did there come any while a call waits.
std::unique_ptr<LargeRecord> ThreadLane::copy_large(const RecordHeader& record, RoomWait& wait) {
  const std::shared_ptr<HeldShare>& share = root_->pipeline->held_in_lanes();
  auto copy = LargeRecord::make(record, share);
  while (!copy && share && wait.pause()) copy = LargeRecord::make(record, share);
  return copy;
}

ThreadLane::Opened ThreadLane::append(const ContextInForce& context, RecordHeader& record,
                                      const PropertyBlock* enrichments, RoomWait& wait) {
  const std::size_t size = record.size();
  close_window();
  if (!get_credit(record.level(), wait)) return Opened::no_credit;
  std::size_t added = 0;
  if (enrichments != nullptr && !enrichments->empty()) {
    added = (sizeof(SideEntryHeader) + enrichments->size_bytes() + 7) & ~std::size_t{7};
  }
  if (added > most_record()) {  // no block has room for them
    added = 0;
    record.size_and_flags |= RecordHeader::truncated;
  }
  CallBytes taken(*root_);
  if (root_->by_bytes && !taken.take(root_->bytes_for(record, added != 0 ? enrichments->size_bytes() : 0), wait)) {
    give_credit_back();  // of use to others: there may be no next call
    return Opened::no_credit;
  }
  const bool jumbo = size + added > most_record();
  std::unique_ptr<LargeRecord> own;
  if (jumbo) {
    own = copy_large(record, wait);
    if (!own) return root_->blocking.empty() ? Opened::no_memory : Opened::no_credit;
  }
  // A block takes one of the long ones, so each begins a block of its own.
  if (jumbo ? !open_block(context, wait) : !make_room(context, added + size, wait)) return Opened::no_credit;
  if (added != 0) {
    SideEntryHeader header;
    header.size_and_flags = RecordWord::make(added, RecordWord::side_entry);
    header.kind = SideEntryHeader::Kind::enrichments;
    header.bytes = static_cast<std::uint32_t>(enrichments->size_bytes());
    scratch_.assign(added, std::byte{});
    std::memcpy(scratch_.data(), &header, sizeof(header));
    std::memcpy(scratch_.data() + sizeof(header), enrichments->data(), enrichments->size_bytes());
    (void)lane_.append(scratch_.data(), added);
  }
  if (ring_) write_to_ring(context, record, added != 0 ? enrichments : nullptr);
  if (!jumbo) {
    (void)lane_.append(reinterpret_cast<const std::byte*>(&record), size);
  } else if (lane_.append_jumbo(own.get())) {
    (void)own.release();
  }
  taken.keep();
  settle_credit();
  if (root_->ticks && !root_->by_bytes && (root_->blocking.empty() || credit_ != 0)) show_window(sizeof(RecordHeader));
  if (caller_hints.dispatcher_rests.load(std::memory_order_relaxed) != CallerHints::awake) wake_dispatcher();
  return Opened::yes;
}

void ThreadLane::use_ring(std::shared_ptr<OwnRing> ring) noexcept {
  ring_ = std::move(ring);
  if (!ring_) return;
  ring_->writer().begin_thread();  // what it knows is of the thread that had it before
  ring_first_ = ring_told_ = ring_->writer().next();
}

bool ThreadLane::ring_progress(RingCheckpoints::Position& position) {
  if (!ring_) return false;
  const std::uint64_t number = ring_first_ + reader_.number();
  if (number == ring_told_) return false;
  ring_told_ = number;
  position = {ring_, number};
  return true;
}

void ThreadLane::thread_exits() noexcept {
  close_window();
  give_credit_back();
  root_->lane_count.fetch_sub(1, std::memory_order_relaxed);
  lane_.close();
  if (caller_hints.dispatcher_rests.load(std::memory_order_relaxed) != CallerHints::awake) wake_dispatcher();
}

// ---- the dispatcher's side

std::shared_ptr<const PropertyBlock> ThreadLane::context_at(const std::byte* entry) {
  auto context = std::make_shared<PropertyBlock>();
  side_entry_to(*context, entry);
  if (context->empty() && context->trace() == nullptr) return nullptr;
  return context;
}

void side_entry_to(PropertyBlock& block, const std::byte* entry) {
  const auto& header = *reinterpret_cast<const SideEntryHeader*>(entry);
  const std::byte* properties = entry + sizeof(header);
  block.assign(properties, header.bytes,
               header.traced != 0 ? reinterpret_cast<const char*>(properties + header.bytes) : nullptr);
}

}  // namespace cairn::detail
