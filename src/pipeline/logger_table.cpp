#include "pipeline/logger_table.hpp"
#include "platform/made_once.hpp"

#include <new>

namespace cairn::detail {

LoggerTable& LoggerTable::instance() noexcept {
  static constinit MadeOnce<LoggerTable> made;  // never destroyed: handles may outlive every static
  return made.get();
}

std::uint32_t LoggerTable::pop_free() noexcept {
  std::uint64_t head = free_.load(std::memory_order_acquire);  // pairs with push_free's release: next is written
  while (static_cast<std::uint32_t>(head) != 0) {
    const std::uint32_t next = node(static_cast<std::uint32_t>(head)).next.load(std::memory_order_relaxed);
    // The count above the id makes a head that was popped and pushed again another word.
    const std::uint64_t fresh = ((head >> 32U) + 1) << 32U | next;
    if (free_.compare_exchange_weak(head, fresh, std::memory_order_acquire, std::memory_order_acquire)) break;
  }
  return static_cast<std::uint32_t>(head);
}

void LoggerTable::push_free(std::uint32_t id) noexcept {
  std::uint64_t head = free_.load(std::memory_order_relaxed);
  std::uint64_t fresh = 0;
  do {
    node(id).next.store(static_cast<std::uint32_t>(head), std::memory_order_relaxed);  // published by the release below
    fresh = (head >> 32U) << 32U | id;
  } while (!free_.compare_exchange_weak(head, fresh, std::memory_order_release, std::memory_order_relaxed));
}

void LoggerTable::grow() {
  const std::lock_guard lock(growing_);
  if (static_cast<std::uint32_t>(free_.load(std::memory_order_acquire)) != 0) return;  // another thread was here
  if (chunk_count_ == max_chunks) throw std::bad_alloc();
  auto* chunk = new Node[chunk_size];
  const std::uint32_t first = chunk_count_ * chunk_size;
  chunks_[chunk_count_++].store(chunk, std::memory_order_release);  // pairs with node()
  for (std::uint32_t i = 0; i < chunk_size; ++i) {
    if (first + i != 0) push_free(first + i);  // 0 is no number
  }
}

std::uint32_t LoggerTable::take(std::shared_ptr<const LoggerParts> parts) {
  std::uint32_t id = pop_free();
  while (id == 0) {
    grow();
    id = pop_free();
  }
  node(id).serial = static_cast<std::uint64_t>(id) << 40U | ((node(id).serial + 1) & 0xFFFFFFFFFFU);
  node(id).parts = std::move(parts);  // seen by the reader through the records that carry the number
  return id;
}

bool LoggerTable::retire(std::uint32_t id) noexcept {
  std::uint32_t head = retired_.load(std::memory_order_relaxed);
  do {
    node(id).next.store(head, std::memory_order_relaxed);  // published by the release below
  } while (!retired_.compare_exchange_weak(head, id, std::memory_order_release, std::memory_order_relaxed));
  return (waiting_.fetch_add(1, std::memory_order_relaxed) + 1) % chunk_size == 0;  // a hint
}

std::uint32_t LoggerTable::begin_sweep() noexcept {
  waiting_.store(0, std::memory_order_relaxed);
  if (retired_.load(std::memory_order_relaxed) == 0) return 0;
  return retired_.exchange(0, std::memory_order_acquire);  // pairs with retire(): the chain is whole
}

void LoggerTable::end_sweep(std::uint32_t retired) noexcept {
  while (retired != 0) {
    Node& gone = node(retired);
    const std::uint32_t next = gone.next.load(std::memory_order_relaxed);
    // Properties alone are let go by the thread that takes the number next: memory goes back to where it mostly came
    // from, and the reader of the lanes does not wait for other threads' allocators. What may own something else goes
    // now.
    if (!gone.parts->has_properties_only()) gone.parts.reset();
    push_free(retired);
    retired = next;
  }
}

}  // namespace cairn::detail
