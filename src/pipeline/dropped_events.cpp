#include "pipeline/dropped_events.hpp"

#include <string>

#include "cairn/detail/record.hpp"
#include "capture/exception_record.hpp"
#include "capture/site_table.hpp"

namespace cairn::detail {

namespace {

constexpr CallSite site = CallSite::of("{DroppedCount} events dropped ({Reason}) since {Since}",
                                       type_pack<std::uint64_t, std::string, Timestamp>, Level::warning,
                                       SourcePlace::of(std::source_location::current()));

std::string reasons_of(const DroppedEvents& dropped) {
  std::string text;
  const auto add = [&](const char* reason, std::uint64_t count) {
    if (count == 0) return;
    if (!text.empty()) text += ", ";
    text += std::to_string(count) + ' ' + reason;
  };
  add("queue_full", dropped.queue_full);
  add("memory_limit", dropped.memory_limit);
  add("block_timeout", dropped.block_timeout);
  add("lane_overrun", dropped.lane_overrun);
  add("retry_expired", dropped.retry_expired);
  return text;
}

}  // namespace

DroppedEventsRecord::DroppedEventsRecord(const DroppedEvents& dropped, Timestamp now) {
  constexpr CaptureLimits limits;
  CaptureWriter out(bytes_, limits);
  RecordHeader header;
  header.size_and_flags = static_cast<std::uint32_t>(site.level);
  header.time = now.time_since_epoch().count();
  header.site = &site;
  out.put(header);
  const std::uint64_t total = dropped.total();
  const std::string reasons = reasons_of(dropped);
  write_value(out, total);
  write_value(out, reasons);
  write_value(out, dropped.since);
  finish_record(out);
  source_.add("SourceContext", OwnedValue("Cairn").view());
}

Event DroppedEventsRecord::event() const {
  return {*reinterpret_cast<const RecordHeader*>(bytes_.data), bound_site(site), nullptr, &source_, nullptr};
}

}  // namespace cairn::detail
