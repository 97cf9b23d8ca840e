#include "pipeline/sink_notices.hpp"

namespace cairn::detail {

namespace {
/// Steady, whatever clock the program brings: how often one is told is no matter of its time.
bool may_now(OncePerSecond& limit) noexcept { return limit.may(std::chrono::steady_clock::now().time_since_epoch()); }
}  // namespace

void SinkNotices::depth(std::size_t events) noexcept {
  if (static_cast<double>(events) < options_.back_pressure_threshold * static_cast<double>(options_.max_size)) return;
  if (!options_.on_back_pressure || !may_now(pressure_)) return;
  try {
    (void)notify([tell = options_.on_back_pressure, name = name_, events, most = options_.max_size] {
      tell({name, events, most});
    });
  } catch (...) {  // no memory for the message
  }
}

void SinkNotices::dropped_for_memory(std::uint64_t events) noexcept {
  if (events == 0 || !options_.on_memory_exceeded) return;
  memory_untold_.fetch_add(events, std::memory_order_relaxed);
  if (!may_now(memory_)) return;
  try {
    (void)notify([tell = options_.on_memory_exceeded, name = name_,
                  count = memory_untold_.exchange(0, std::memory_order_relaxed)] { tell(name, count); });
  } catch (...) {  // as above
  }
}

void SinkNotices::error(std::string_view what) noexcept {
  if (!options_.on_error || !may_now(errors_)) return;
  try {
    (void)notify([tell = options_.on_error, name = name_, text = std::string(what)] { tell(name, text); });
  } catch (...) {  // as above
  }
}

void SinkNotices::latency(std::chrono::nanoseconds latency) noexcept {
  if (!options_.on_slow || latency < options_.slow_after || !may_now(slow_)) return;
  try {
    (void)notify([tell = options_.on_slow, name = name_, latency] { tell({name, latency}); });
  } catch (...) {  // as above
  }
}

}  // namespace cairn::detail
