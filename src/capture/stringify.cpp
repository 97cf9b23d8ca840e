#include "capture/stringify.hpp"

#include "cairn/event.hpp"
#include "capture/exception_record.hpp"

namespace cairn::detail {

const RecordHeader* stringify(const RecordHeader& record, const BoundTemplate& bound, CaptureBuffer& buffer,
                              const CaptureLimits& limits) {
  CaptureWriter out(buffer, limits);
  const auto* begin = reinterpret_cast<const std::byte*>(&record);
  const auto* arguments = begin + sizeof(RecordHeader);
  if (record.is(RecordHeader::function_form)) arguments += sizeof(FunctionFormHeader);
  if (record.is(RecordHeader::dynamic_form))
    arguments = skip_value(string_type, arguments + sizeof(FunctionFormHeader));
  if (record.is(RecordHeader::has_exception)) arguments += load<std::uint32_t>(arguments);
  out.put_bytes(begin, static_cast<std::size_t>(arguments - begin));

  OutputBuffer text;
  for (std::size_t i = 0; i < bound.captured_types().size(); ++i) {
    const ValueType& type = *bound.captured_types()[i];
    const std::byte* next = skip_value(type, arguments);
    const Value value(type, arguments);
    if (bound.stringifies(i)) {
      text.clear();
      value.render_to(text);
      out.put_string(text.view());
    } else {
      out.put_bytes(arguments, static_cast<std::size_t>(next - arguments));
    }
    arguments = next;
  }
  RecordHeader header = record;
  header.size_and_flags &= (1U << RecordHeader::size_shift) - 1;
  out.put_at(0, header);
  finish_record(out);
  return reinterpret_cast<const RecordHeader*>(out.data());
}

}  // namespace cairn::detail
