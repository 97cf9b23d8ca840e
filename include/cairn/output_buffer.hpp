// A growable run of characters that formatters write into and sinks hand to the kernel.
//
//   cairn::OutputBuffer out;
//   out.append("n=");
//   out.append_number(42);
//   write(fd, out.data(), out.size());
//
// It keeps its capacity when cleared, so that a formatter that reuses one allocates nothing once warm. Not safe from
// several threads at once. Growing throws std::bad_alloc when memory is out; the contents are then as before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace cairn {

class OutputBuffer {
 public:
  OutputBuffer() noexcept = default;
  explicit OutputBuffer(std::size_t capacity) { reserve(capacity); }
  OutputBuffer(OutputBuffer&& other) noexcept : data_(other.data_), size_(other.size_), capacity_(other.capacity_) {
    other.data_ = nullptr;
    other.size_ = other.capacity_ = 0;
  }
  OutputBuffer& operator=(OutputBuffer&& other) noexcept;
  ~OutputBuffer() { delete[] data_; }

  [[nodiscard]] const char* data() const noexcept { return data_; }
  [[nodiscard]] char* data() noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::string_view view() const noexcept { return {data_, size_}; }
  /// What was written since the buffer was `from` long.
  [[nodiscard]] std::string_view view_from(std::size_t from) const noexcept { return {data_ + from, size_ - from}; }

  void clear() noexcept { size_ = 0; }
  /// Forgets all but the first `size` characters; `size` must not be over size().
  void truncate(std::size_t size) noexcept { size_ = size; }
  /// Forgets the first `count` characters; `count` must not be over size().
  void remove_prefix(std::size_t count) noexcept {
    if (count == 0) return;
    size_ -= count;
    if (size_ != 0) std::memmove(data_, data_ + count, size_);
  }
  void reserve(std::size_t capacity) {
    if (capacity > capacity_) grow(capacity);
  }

  void append(char c) {
    if (size_ == capacity_) grow(size_ + 1);
    data_[size_++] = c;
  }
  void append(std::string_view text) {
    if (text.empty()) return;
    char* to = prepare(text.size());
    std::memcpy(to, text.data(), text.size());
    size_ += text.size();
  }
  void append(std::size_t count, char c) {
    if (count == 0) return;
    std::memset(prepare(count), c, count);
    size_ += count;
  }
  /// Decimal digits.
  void append_number(std::uint64_t value);
  void append_number(std::int64_t value);
  void append_number(int value) { append_number(static_cast<std::int64_t>(value)); }

  /// Room for `count` more characters, to be written directly and then kept with commit().
  [[nodiscard]] char* prepare(std::size_t count) {
    if (capacity_ - size_ < count) grow(size_ + count);
    return data_ + size_;
  }
  void commit(std::size_t count) noexcept { size_ += count; }

  /// Puts `count` copies of `c` at `position`, moving what follows.
  void insert(std::size_t position, std::size_t count, char c);

 private:
  void grow(std::size_t least);

  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace cairn
