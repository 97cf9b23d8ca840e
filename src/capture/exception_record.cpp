#include "capture/exception_record.hpp"

#include <cstddef>
#include <cstring>
#include <exception>
#include <stdexcept>

#include "capture/thrown_text.hpp"
#include "capture/type_names.hpp"

namespace cairn::detail {

namespace {

constexpr std::uint32_t max_nested = 10;

void write_chain(CaptureWriter& out, const std::exception& exception, std::uint32_t& count);

/// What is being handled, which is no std::exception.
void write_thrown(CaptureWriter& out, std::uint32_t& count) {
  const ThrownText thrown = thrown_text();
  out.put_string(thrown.type);
  out.put_string(thrown.text);
  ++count;
}

void write_pointer(CaptureWriter& out, const std::exception_ptr& pointer, std::uint32_t& count) {
  if (pointer == nullptr) return;
  if (count >= max_nested) {
    out.count_cut();
    out.put_string("…(too deep)");
    out.put_string("");
    ++count;
    return;
  }
  try {
    std::rethrow_exception(pointer);
  } catch (const std::exception& e) {
    write_chain(out, e, count);
  } catch (const std::nested_exception& outer) {  // thrown with std::throw_with_nested, and no std::exception
    write_thrown(out, count);
    write_pointer(out, outer.nested_ptr(), count);
  } catch (...) {
    write_thrown(out, count);
  }
}

void write_chain(CaptureWriter& out, const std::exception& exception, std::uint32_t& count) {
  out.put_string(thrown_name(type_name(typeid(exception))));
  const char* what = exception.what();
  out.put_string(what != nullptr ? what : "");
  ++count;
  if (const auto* nested = dynamic_cast<const std::nested_exception*>(&exception); nested != nullptr) {
    write_pointer(out, nested->nested_ptr(), count);
  }
}

}  // namespace

void write_exception(CaptureWriter& out, const ThrownException& thrown) {
  if (thrown.reference == nullptr && (thrown.pointer == nullptr || *thrown.pointer == nullptr)) return;
  const std::size_t start = out.size();
  std::uint32_t count = 0;
  out.put(std::uint64_t{0});  // size and count
  if (thrown.reference != nullptr) {
    write_chain(out, *thrown.reference, count);
  } else {
    write_pointer(out, *thrown.pointer, count);
  }
  out.put_at(start, static_cast<std::uint32_t>(out.size() - start));
  out.put_at(start + 4, count);
}

void finish_record(CaptureWriter& out) {
  const std::size_t size = (out.size() + 7) / 8 * 8;
  out.put(std::uint64_t{0});
  out.truncate(size);
  // That one word alone: the others were written a moment ago, in pieces that are slow to read back as a whole.
  constexpr std::size_t position = offsetof(RecordHeader, size_and_flags);
  std::uint32_t size_and_flags = 0;
  std::memcpy(&size_and_flags, out.data() + position, sizeof(size_and_flags));
  size_and_flags |= static_cast<std::uint32_t>(size / 8) << RecordHeader::size_shift;
  if (out.cuts() != 0) size_and_flags |= RecordHeader::truncated;
  out.put_at(position, size_and_flags);
}

}  // namespace cairn::detail
