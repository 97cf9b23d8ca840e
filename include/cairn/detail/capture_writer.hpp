// Where captured bytes go: a bounded writer over a buffer that grows once and is kept.
// It knows bytes, limits and cuts; what a type looks like is the codecs' business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "cairn/detail/value_type.hpp"

namespace cairn {

/// How much of a value is captured; what is over is cut, marked in the output and counted. All settable by
/// `Configuration::capture_limits`.
struct CaptureLimits {
  std::uint32_t depth = 10;                // levels of nesting
  std::uint32_t elements = 1000;           // of one sequence or dictionary
  std::uint32_t properties = 128;          // of one event, and members of one structure
  std::uint32_t string_bytes = 64 * 1024;  // of one string
  std::uint32_t event_bytes = 256 * 1024;  // of one event
};

namespace detail {

/// Bytes that keep their capacity. Not copied, not shared.
class CaptureBuffer {
 public:
  CaptureBuffer() noexcept = default;
  CaptureBuffer(const CaptureBuffer&) = delete;
  CaptureBuffer& operator=(const CaptureBuffer&) = delete;
  ~CaptureBuffer() { free(); }
  void free() noexcept {
    if (data != nullptr) end();
  }
  /// Makes it that large at least, with the first `kept` bytes of before. Throws std::bad_alloc, and is as it was.
  void grow(std::size_t least, std::size_t kept);

  std::byte* data = nullptr;
  std::size_t capacity = 0;

 private:
  void end() noexcept;
};

class CaptureWriter {
 public:
  /// Appends to `buffer` from its start. `structure_mask`: bit i is set where argument i was asked for as a structure
  /// (`@`).
  CaptureWriter(CaptureBuffer& buffer, const CaptureLimits& limits, std::uint64_t structure_mask = 0) noexcept
      : buffer_(buffer), limits_(limits), structure_mask_(structure_mask) {}

  [[nodiscard]] const CaptureLimits& limits() const noexcept { return limits_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] const std::byte* data() const noexcept { return buffer_.data; }
  [[nodiscard]] std::byte* data() noexcept { return buffer_.data; }
  /// Bytes left of the event's limit; the fixed parts of values may go a little over.
  [[nodiscard]] std::size_t room() const noexcept {
    return size_ < limits_.event_bytes ? limits_.event_bytes - size_ : 0;
  }
  [[nodiscard]] std::uint32_t cuts() const noexcept { return cuts_; }
  void count_cut() noexcept { ++cuts_; }

  /// Takes back what was written after `size`.
  void truncate(std::size_t size) noexcept { size_ = size; }

  template <class T>
  void put(const T& value) {
    std::memcpy(prepare(sizeof(T)), &value, sizeof(T));
    size_ += sizeof(T);
  }
  template <class T>
  void put_at(std::size_t position, const T& value) noexcept {
    std::memcpy(buffer_.data + position, &value, sizeof(T));
  }
  /// `bytes` in one piece, for the caller to fill; null: more than the event's limit leaves.
  [[nodiscard]] std::byte* claim(std::size_t bytes) {
    if (bytes > room()) return nullptr;
    std::byte* const at = prepare(bytes);
    size_ += bytes;
    return at;
  }
  void put_type(const ValueType& type) { put(&type); }
  void put_bytes(const void* bytes, std::size_t count) {
    if (count == 0) return;
    std::memcpy(prepare(count), bytes, count);
    size_ += count;
  }
  /// Length and bytes, cut at the limits with a mark.
  void put_string(std::string_view text) { put_string(text, text.size()); }
  /// The beginning of a text of `whole` bytes: all of it, or more than is kept of any.
  void put_string(std::string_view beginning, std::size_t whole);
  void put_null_string() { put(null_length); }
  /// As put_string, under no limit (names that the program itself chose).
  void put_name(std::string_view text) {
    put(static_cast<std::uint32_t>(text.size()));
    put_bytes(text.data(), text.size());
  }
  /// Length kept, length of the whole, bytes; at most 1024 are kept.
  void put_byte_string(const void* bytes, std::size_t count);

  /// Opens a container; false: it is too deep, a note stands in its place and nothing more may be written for it.
  [[nodiscard]] bool open_container(std::size_t& position);
  void close_container(std::size_t position, std::uint32_t count, std::uint32_t omitted) noexcept;
  /// What user code threw, in place of the container opened at `position`.
  void fail_container(std::size_t position, std::string_view what);
  [[nodiscard]] bool element_fits(std::uint32_t count) const noexcept {
    return count < limits_.elements && room() > 64;
  }

  /// Was argument `index` asked for with `@`?
  [[nodiscard]] bool wants_structure(unsigned index) const noexcept {
    return index < 64 && ((structure_mask_ >> index) & 1U) != 0;
  }
  /// For values below the top level: as the argument they are part of.
  bool structure = true;
  std::uint32_t depth = 0;
  /// How many values that say they are another (a Capture, a pointer) the one being written is inside of: a cycle of
  /// these opens no container.
  std::uint32_t forwards = 0;

 private:
  [[nodiscard]] std::byte* prepare(std::size_t count) {
    if (buffer_.capacity - size_ < count) buffer_.grow(size_ + count, size_);
    return buffer_.data + size_;
  }

  CaptureBuffer& buffer_;
  const CaptureLimits& limits_;
  std::size_t size_ = 0;
  std::uint64_t structure_mask_;
  std::uint32_t cuts_ = 0;
};

/// The text of the exception being handled: "type: what", or "unknown".
void current_exception_text(char (&text)[256]) noexcept;

}  // namespace detail
}  // namespace cairn
