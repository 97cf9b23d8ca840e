// One thread's lane in one root: the thread's side, which opens the write window, and the dispatcher's, which reads.
//
// The thread's side runs on the thread alone. It ends with the thread, or with the root: then the lane is closed, and
// is the dispatcher's, which reads what is left and gives the memory to the next thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "capture/thread_state.hpp"
#include "dispatch/block_contexts.hpp"
#include "dispatch/lane_root.hpp"
#include "dispatch/large_record.hpp"
#include "dispatch/room_wait.hpp"
#include "lane/lane.hpp"
#include "lane/lane_reader.hpp"
#include "pipeline/logger_table.hpp"
#include "platform/fork_generation.hpp"

namespace cairn::detail {

/// Address space for a lane's blocks, charged to the process's account as long as it lives. Pages are taken as the lane
/// first reaches them; the first blocks at once.
class LaneMemory {
 public:
  /// Of the shape that is wanted, or of a smaller one: lanes take half of the memory budget at most, and each at most a
  /// quarter of what is left of that, while it is not the smallest. Null: there is no room for that one. Throws
  /// std::bad_alloc.
  [[nodiscard]] static std::unique_ptr<LaneMemory> make(const LaneShape& wanted);
  /// The shape that one would have if so many bytes, of lanes that nobody uses, were not there.
  [[nodiscard]] static std::optional<LaneShape> shape_without(std::uint64_t pooled, const LaneShape& wanted) noexcept;
  class ShareToBlock;
  /// It is used where a sink blocks, and has that share, or as much of it as it is large.
  void use(ShareToBlock share) noexcept;
  /// It is not used so, or no more.
  void use() noexcept;
  /// In a process just forked: lanes are the parent's.
  static void forget_all() noexcept;
  LaneMemory(const LaneMemory&) = delete;
  LaneMemory& operator=(const LaneMemory&) = delete;
  ~LaneMemory();
  [[nodiscard]] std::byte* region() const noexcept { return region_; }
  [[nodiscard]] const LaneShape& shape() const noexcept { return shape_; }

 private:
  explicit LaneMemory(const LaneShape& shape);
  LaneShape shape_;
  std::byte* region_;
  bool blocks_ = false;
};

/// Of the memory of lanes where a sink blocks. They may never be emptied, and take half of what all lanes may take (or
/// little more), so that a sink that is stuck leaves the other loggers theirs. Each has a sixteenth of what is left of
/// that, while it is not the smallest: how many threads have one matters more than how large it is, for it drops
/// nothing. Given back, unless a lane uses it.
class LaneMemory::ShareToBlock {
 public:
  explicit ShareToBlock(const LaneShape& wanted) noexcept;
  ShareToBlock(ShareToBlock&& other) noexcept : shape_(std::exchange(other.shape_, std::nullopt)) {}
  ShareToBlock& operator=(ShareToBlock&&) = delete;
  ~ShareToBlock();
  /// The shape to be wanted; nothing: there is no room for one more.
  [[nodiscard]] const std::optional<LaneShape>& shape() const noexcept { return shape_; }

 private:
  friend class LaneMemory;
  std::optional<LaneShape> shape_;
};

/// What a side entry of a lane holds.
void side_entry_to(PropertyBlock& block, const std::byte* entry);

class ThreadLane final : public ThreadAttachment {
 public:
  ThreadLane(std::shared_ptr<LaneRoot> root, std::unique_ptr<LaneMemory> memory);

  // ---- the thread's side

  enum class Opened { yes, no_credit, no_memory };

  [[nodiscard]] const std::shared_ptr<LaneRoot>& root() const noexcept { return root_; }
  /// The longest record that any block has room for behind a context.
  [[nodiscard]] std::size_t most_record() const noexcept;
  /// Makes the calling thread's window one of this lane, in which a record of `bytes` has room. Waits for nothing:
  /// where a sink blocks and there is no room, the call goes by way of append().
  [[nodiscard]] Opened open_window(const ContextInForce& context, std::size_t bytes) noexcept;
  /// The same where the window is this lane's, which a call has shut, and for want of room alone: the next block, under
  /// the context that was, and the window opened again with that key. A call that needs one would wait longest for what
  /// it has not touched since the last: this touches little else. False: it takes more than that, and nothing was done.
  [[nodiscard]] bool next_block(std::uint64_t key, std::size_t bytes) noexcept;
  /// The same where the context has changed alone, to one of that version that the block has already.
  [[nodiscard]] bool change_context(std::uint64_t key, std::size_t bytes, std::uint64_t version) noexcept;
  /// Asks for what next_block() touches, all of it at once.
  void prefetch_next_block() const noexcept {
    __builtin_prefetch(&entry_);
    lane_.prefetch_next_block();
  }
  /// Waits for the sinks that block, as `wait` says, and for nothing else. Copies a record in, logged under `context`,
  /// with what was added to it at its capture (or null). Leaves the window open where it can. One larger than a block
  /// may find no_memory in the budget; throws std::bad_alloc where the system has none.
  [[nodiscard]] Opened append(const ContextInForce& context, RecordHeader& record, const PropertyBlock* enrichments,
                              RoomWait& wait);
  /// With a ring: keeps there what is in the lane, or about to be, as the next event.
  void write_to_ring(const ContextInForce& context, const RecordHeader& record,
                     const PropertyBlock* enrichments) noexcept {
    const LoggerTable& loggers = LoggerTable::instance();
    ring_->write({record, context.block, context.version, loggers.at(record.logger)->properties,
                  loggers.serial(record.logger), enrichments});
  }
  /// Takes what was written through the window into account, and closes the window.
  void close_window() noexcept;
  /// Before its first event: everything is written there, too, before its call returns.
  void use_ring(std::shared_ptr<OwnRing> ring) noexcept;
  /// Ends the thread's side.
  void thread_exits() noexcept override;

  // ---- the dispatcher's side

  [[nodiscard]] LaneReader& reader() noexcept { return reader_; }
  [[nodiscard]] const Lane& lane() const noexcept { return lane_; }
  /// The context of the event that the reader is at; null: none. Throws std::bad_alloc.
  [[nodiscard]] const std::shared_ptr<const PropertyBlock>& context() {
    return contexts_.get(reader_.context(), reader_.block_sequence(), context_at);
  }
  /// How far into its ring the reader has come. False: no farther than when it was asked before, or there is none.
  [[nodiscard]] bool ring_progress(RingCheckpoints::Position& position);
  [[nodiscard]] std::shared_ptr<OwnRing> take_ring() noexcept { return std::move(ring_); }
  [[nodiscard]] std::unique_ptr<LaneMemory> take_memory() noexcept { return std::move(memory_); }

  static constexpr std::size_t line = 64;    // what one side writes often is in no line that the other reads
  alignas(line) ThreadLane* next = nullptr;  // in the dispatcher's list of new ones
  std::uint64_t overrun_told = 0;            // of the reader's overrun
  std::uint64_t head_time = 0;               // of the event the reader is at
  std::uint64_t limit = 0;                   // events before it are for this sweep, where no time says so
  bool was_closed = false;                   // when this sweep began
  std::uint64_t block_before = 0;            // the same: that its reader was in

 private:
  /// For an event of that level, at least.
  [[nodiscard]] bool get_credit(Level level, RoomWait& wait) noexcept;
  void settle_credit() noexcept;
  void give_credit_back() noexcept;
  [[nodiscard]] std::unique_ptr<LargeRecord> copy_large(const RecordHeader& record, RoomWait& wait);
  [[nodiscard]] bool open_block(const ContextInForce& context, RoomWait& wait) noexcept;
  [[nodiscard]] bool make_room(const ContextInForce& context, std::size_t bytes, RoomWait& wait) noexcept;
  [[nodiscard]] std::size_t context_entry(const ContextInForce& context) noexcept;
  [[nodiscard]] static std::shared_ptr<const PropertyBlock> context_at(const std::byte* entry);
  [[nodiscard]] bool append_again(const WrittenContexts::Place& known, std::uint64_t version,
                                  std::size_t bytes) noexcept;
  [[nodiscard]] bool window_holds(std::size_t bytes) const noexcept;
  void show_window(std::size_t bytes) noexcept;
  void open_window_to(std::byte* end, std::uint64_t key) noexcept;

  // the thread's
  alignas(line) std::shared_ptr<LaneRoot> root_;
  std::unique_ptr<LaneMemory> memory_;
  std::shared_ptr<OwnRing> ring_;   // or null
  std::uint64_t ring_first_ = 0;    // the number there of the lane's first event
  std::uint64_t settled_ = 0;       // events written, when credit_ was last set against them
  std::uint64_t credit_ = 0;        // events that may still be written; of no use where no sink blocks
  std::vector<std::byte> scratch_;  // for enrichments
  WrittenContexts written_;

  // the thread's, where it goes from one block to the next
  alignas(line) CaptureBuffer entry_;  // a context entry being made, kept for its memory
  std::size_t entry_size_ = 0;
  std::uint64_t entry_version_ = 0;
  std::uint64_t context_version_ = 0;  // of the context that holds at the lane's position; 0: none was looked at
  bool context_is_empty_ = true;       // that one
  const bool blocks_;                  // some sink of the root
  std::uint32_t most_seen_ = 0;        // the process's limit of an event's bytes, when the window was opened

  Lane lane_;

  // the dispatcher's
  alignas(line) LaneReader reader_;
  std::uint64_t ring_told_ = 0;
  ReadContexts contexts_;
};

}  // namespace cairn::detail
