#include "pipeline/circuit_notice.hpp"

#include <string>
#include <utility>

#include "cairn/detail/record.hpp"
#include "capture/exception_record.hpp"
#include "capture/site_table.hpp"

namespace cairn::detail {

namespace {

constexpr CallSite site_of(Level level) {
  return CallSite::of("The circuit breaker of {Sink} is {State} ({Cause})",
                      type_pack<std::string, std::string, std::string>, level,
                      SourcePlace::of(std::source_location::current()));
}
constexpr CallSite bad = site_of(Level::warning);
constexpr CallSite good = site_of(Level::information);

}  // namespace

CircuitNoticeRecord::CircuitNoticeRecord(std::string_view sink, const CircuitTransition& change)
    : warning_(change.to == CircuitState::open || change.to == CircuitState::forced_open) {
  const CallSite& site = warning_ ? bad : good;
  constexpr CaptureLimits limits;
  CaptureWriter out(bytes_, limits);
  RecordHeader header;
  header.size_and_flags = static_cast<std::uint32_t>(site.level);
  header.time = change.time.time_since_epoch().count();
  header.site = &site;
  out.put(header);
  const std::string name(sink);
  const std::string state(to_string(change.to));
  const std::string cause(to_string(change.cause));
  write_value(out, name);
  write_value(out, state);
  write_value(out, cause);
  finish_record(out);
  source_.add("SourceContext", OwnedValue("Cairn").view());
}

Event CircuitNoticeRecord::event() const {
  return {*reinterpret_cast<const RecordHeader*>(bytes_.data), bound_site(warning_ ? bad : good), nullptr, &source_,
          nullptr};
}

void CircuitNotices::add(const CircuitTransition& change) noexcept {
  const std::lock_guard lock(mutex_);
  try {
    if (changes_.size() >= most) changes_.erase(changes_.begin());
    changes_.push_back(change);
  } catch (...) {  // no memory: the output goes without it
  }
}

std::vector<CircuitTransition> CircuitNotices::take() noexcept {
  const std::lock_guard lock(mutex_);
  return std::exchange(changes_, {});
}

}  // namespace cairn::detail
