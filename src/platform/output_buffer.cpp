#include "cairn/output_buffer.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace cairn {

OutputBuffer& OutputBuffer::operator=(OutputBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
  return *this;
}

void OutputBuffer::grow(std::size_t least) {
  const std::size_t capacity = std::max({least, capacity_ + capacity_ / 2, std::size_t{256}});
  char* bigger = new char[capacity];
  if (size_ != 0) std::memcpy(bigger, data_, size_);
  delete[] data_;
  data_ = bigger;
  capacity_ = capacity;
}

void OutputBuffer::append_number(std::uint64_t value) {
  char* to = prepare(20);
  commit(static_cast<std::size_t>(std::to_chars(to, to + 20, value).ptr - to));
}

void OutputBuffer::append_number(std::int64_t value) {
  char* to = prepare(20);
  commit(static_cast<std::size_t>(std::to_chars(to, to + 20, value).ptr - to));
}

void OutputBuffer::insert(std::size_t position, std::size_t count, char c) {
  if (count == 0) return;
  (void)prepare(count);
  std::memmove(data_ + position + count, data_ + position, size_ - position);
  std::memset(data_ + position, c, count);
  size_ += count;
}

}  // namespace cairn
