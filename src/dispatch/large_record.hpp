// A record larger than a block, on its way through a lane: a piece of memory of its own, charged to the process's
// account. Where memory is short the oldest of them give up their bytes, wherever they are; the reader that comes to
// one of those counts it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "cairn/detail/record.hpp"
#include "lane/block.hpp"
#include "pipeline/event_batch.hpp"
#include "platform/memory_piece.hpp"

namespace cairn::detail {

class LargeRecord : public LaneJumbo {
 public:
  /// A copy of a record. `share`: whose it is while it may not be dropped; or null. Null: there is no memory for it in
  /// the budget or the share. Throws std::bad_alloc.
  [[nodiscard]] static std::unique_ptr<LargeRecord> make(const RecordHeader& record,
                                                         const std::shared_ptr<HeldShare>& share);
  LargeRecord(const LargeRecord&) = delete;
  LargeRecord& operator=(const LargeRecord&) = delete;
  ~LargeRecord();

  /// The reader's, before it looks at the record: from now on its bytes stay. Null: it has given them up.
  [[nodiscard]] const RecordHeader* hold() noexcept;
  /// A batch around the record that hold() gave, with what its event will keep alive beside it, of that share (or
  /// null). Null: there is no room for it. Throws std::bad_alloc. Where there is no batch nothing has happened.
  [[nodiscard]] std::shared_ptr<EventBatch> into_batch(const std::shared_ptr<HeldShare>& share, std::size_t sides);

  /// Has the oldest that nobody holds give up its bytes. False: there is none.
  static bool give_up_oldest() noexcept;
  /// In a process just forked: the lanes are the parent's.
  static void forget_all() noexcept;

 private:
  struct List;
  [[nodiscard]] static List& list() noexcept;
  LargeRecord(const RecordHeader& record, const std::shared_ptr<HeldShare>& share, std::size_t charged);
  void unlink() noexcept;

  const RecordHeader head_;  // what the lane's reader sees: its time stays
  const std::size_t size_;
  MemoryPiece bytes_;
  std::size_t charged_;
  const std::shared_ptr<HeldShare> share_;

  // guarded by the list's lock
  bool listed_ = false;
  LargeRecord* older_ = nullptr;
  LargeRecord* newer_ = nullptr;
};

}  // namespace cairn::detail
