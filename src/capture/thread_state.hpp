// What a thread keeps between calls: buffers for its records, and its context. Made on the thread's first call, freed
// by a pthread key after its C++ thread_locals are gone, so that logging from their destructors is safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cairn/detail/capture_writer.hpp"
#include "capture/property_block.hpp"

namespace cairn::detail {

struct ThreadState;

/// One call in flight on a thread. Calls nest when user code logs while it is captured, filtered or emitted.
struct CallSlot {
  CaptureBuffer record;
  CaptureBuffer rewritten;        // the record with its `$` arguments as strings
  PropertyBlock extras;           // what enrichers added
  ThreadState* thread = nullptr;  // whose it is
  bool busy = false;
};

/// The context that a snapshot's scope put aside.
struct CoveredContext {
  std::uint64_t scope = 0;
  PropertyBlock before;
};

struct ThreadState {
  static constexpr unsigned max_nesting = 4;
  CallSlot slots[max_nesting];
  PropertyBlock context;
  std::uint64_t next_scope = 1;  // ids of context entries
  std::vector<CoveredContext>
      covered;  // the first covered_count are in use, outermost first; the others keep their memory
  std::size_t covered_count = 0;
  CaptureBuffer scratch;  // for a value on its way into a block
  bool scratch_lent = false;
  const void* active_roots[8]{};  // roots whose sinks this thread is inside of
  unsigned active_count = 0;
};

/// The calling thread's; null only where memory for it cannot be had.
[[nodiscard]] ThreadState* thread_state() noexcept;

}  // namespace cairn::detail
