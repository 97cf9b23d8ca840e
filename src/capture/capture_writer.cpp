#include "cairn/detail/capture_writer.hpp"

#include <algorithm>
#include <charconv>
#include <exception>

#include "cairn/detail/codec.hpp"
#include "capture/thrown_text.hpp"
#include "capture/type_names.hpp"
#include "platform/memory_piece.hpp"

namespace cairn::detail {

namespace {

constexpr std::size_t kept_bytes = 1024;

/// The longest prefix of at most `size` bytes that does not end inside a UTF-8 sequence.
std::size_t whole_characters(std::string_view text, std::size_t size) noexcept {
  if (size >= text.size()) return text.size();
  std::size_t at = size;
  for (int back = 0; back < 3 && at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U; ++back) --at;
  return (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U ? size : at;
}

bool is_character(char32_t code) noexcept { return code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF); }

std::size_t utf8_size(char32_t code) noexcept {
  if (!is_character(code)) return 3;  // U+FFFD
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

void append_utf8(std::string& out, char32_t code) {
  if (!is_character(code)) code = 0xFFFD;
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0U | (code >> 6U));
    put(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    put(0xE0U | (code >> 12U));
    put(0x80U | ((code >> 6U) & 0x3FU));
    put(0x80U | (code & 0x3FU));
  } else {
    put(0xF0U | (code >> 18U));
    put(0x80U | ((code >> 12U) & 0x3FU));
    put(0x80U | ((code >> 6U) & 0x3FU));
    put(0x80U | (code & 0x3FU));
  }
}

/// Holds so much of a wide text as may be kept, and counts the rest.
class BoundedUtf8 {
 public:
  explicit BoundedUtf8(CaptureWriter& out) noexcept : out_(out) {}
  void append(char32_t code) {
    if (kept_.size() <= out_.limits().string_bytes) {
      append_utf8(kept_, code);
      whole_ = kept_.size();
    } else {
      whole_ += utf8_size(code);
    }
  }
  void put() { out_.put_string(kept_, whole_); }

 private:
  CaptureWriter& out_;
  std::string kept_;
  std::size_t whole_ = 0;
};

}  // namespace

void CaptureBuffer::grow(std::size_t least, std::size_t kept) {
  const std::size_t bytes = std::max({least, capacity * 2, std::size_t{1024}});
  MemoryPiece bigger = make_memory_piece(bytes);
  if (kept != 0) std::memcpy(bigger.get(), data, kept);
  free();
  data = bigger.release();
  capacity = bytes;
}

void CaptureBuffer::end() noexcept {
  MemoryPieceEnd{capacity}(data);
  data = nullptr;
  capacity = 0;
}

void CaptureWriter::put_string(std::string_view text, std::size_t whole) {
  const std::size_t most = std::min<std::size_t>(limits_.string_bytes, room());
  if (whole <= most) {
    put(static_cast<std::uint32_t>(text.size()));
    put_bytes(text.data(), text.size());
    return;
  }
  const std::size_t kept = whole_characters(text, most);
  char mark[48] = "…(+";
  char* end = std::to_chars(mark + 5, mark + sizeof(mark), whole - kept).ptr;
  constexpr std::string_view tail = " bytes)";
  std::memcpy(end, tail.data(), tail.size());
  const auto mark_size = static_cast<std::size_t>(end - mark) + tail.size();
  put(static_cast<std::uint32_t>(kept + mark_size));
  put_bytes(text.data(), kept);
  put_bytes(mark, mark_size);
  ++cuts_;
}

void CaptureWriter::put_byte_string(const void* bytes, std::size_t count) {
  const std::size_t kept = std::min(count, kept_bytes);
  if (kept < count) ++cuts_;
  put(static_cast<std::uint32_t>(kept));
  put(static_cast<std::uint64_t>(count));
  put_bytes(bytes, kept);
}

bool CaptureWriter::open_container(std::size_t& position) {
  position = size_;
  if (depth >= limits_.depth) {
    put(ContainerHeader{special_size, static_cast<std::uint32_t>(SpecialContainer::too_deep), 0});
    ++cuts_;
    return false;
  }
  ++depth;
  put(ContainerHeader{});
  return true;
}

void CaptureWriter::close_container(std::size_t position, std::uint32_t count, std::uint32_t omitted) noexcept {
  --depth;
  const auto size = static_cast<std::uint32_t>(size_ - position - sizeof(ContainerHeader));
  put_at(position, ContainerHeader{size, count, omitted});
  if (omitted != 0) ++cuts_;
}

void CaptureWriter::fail_container(std::size_t position, std::string_view what) {
  --depth;
  truncate(position);
  put(ContainerHeader{special_size, static_cast<std::uint32_t>(SpecialContainer::error), 0});
  put_string(what);
}

void current_exception_text(char (&text)[256]) noexcept {
  const auto set = [&](std::string_view what) {
    const std::size_t kept = whole_characters(what, std::min(what.size(), sizeof(text) - 1));
    std::memcpy(text, what.data(), kept);
    text[kept] = '\0';
  };
  try {
    throw;
  } catch (const std::exception& e) {
    set(e.what() != nullptr ? e.what() : "");
  } catch (...) {
    set("unknown exception");
  }
}

void write_too_deep(CaptureWriter& out) {
  out.count_cut();
  out.put_type(string_type);
  out.put_string("…(too deep)");
}

void write_string_form_error(CaptureWriter& out) {
  char what[256];
  current_exception_text(what);
  std::string text = "<error: ";
  text += what;
  text += '>';
  out.put_string(text);
}

void put_wide_string(CaptureWriter& out, const char16_t* text, std::size_t size) {
  BoundedUtf8 utf8(out);
  for (std::size_t i = 0; i < size; ++i) {
    char32_t code = text[i];
    if (code >= 0xD800 && code <= 0xDBFF && i + 1 < size && text[i + 1] >= 0xDC00 && text[i + 1] <= 0xDFFF) {
      code = 0x10000 + ((code - 0xD800) << 10U) + (text[++i] - char32_t{0xDC00});
    }
    utf8.append(code);
  }
  utf8.put();
}

void put_wide_string(CaptureWriter& out, const char32_t* text, std::size_t size) {
  BoundedUtf8 utf8(out);
  for (std::size_t i = 0; i < size; ++i) utf8.append(text[i]);
  utf8.put();
}

void put_wide_string(CaptureWriter& out, const wchar_t* text, std::size_t size) {
  static_assert(sizeof(wchar_t) == sizeof(char32_t));
  BoundedUtf8 utf8(out);
  for (std::size_t i = 0; i < size; ++i) utf8.append(static_cast<char32_t>(text[i]));
  utf8.put();
}

void write_exception_argument(CaptureWriter& out, const std::exception& exception) {
  std::string text(thrown_name(type_name(typeid(exception))));
  text += ": ";
  const char* what = exception.what();
  text += what != nullptr ? what : "";
  out.put_string(text);
}

void write_exception_pointer_argument(CaptureWriter& out, const std::exception_ptr& pointer) {
  if (!pointer) {
    out.put_null_string();
    return;
  }
  try {
    std::rethrow_exception(pointer);
  } catch (const std::exception& e) {
    write_exception_argument(out, e);
  } catch (...) {
    const ThrownText thrown = thrown_text();
    std::string text(thrown.type);
    if (!thrown.text.empty()) text.append(": ").append(thrown.text);
    out.put_string(text);
  }
}

void write_source_location(CaptureWriter& out, const char* file, std::uint64_t line) {
  std::string text(file);
  char digits[20];
  text += ':';
  text.append(digits, std::to_chars(digits, digits + sizeof(digits), line).ptr);
  out.put_string(text);
}

void write_error_code(CaptureWriter& out, const char* category, int value, std::string_view message) {
  std::string text(category);
  char digits[12];
  text += ':';
  text.append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
  text += " (";
  text += message;
  text += ')';
  out.put_string(text);
}

}  // namespace cairn::detail
