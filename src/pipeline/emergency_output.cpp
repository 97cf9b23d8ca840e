#include "pipeline/emergency_output.hpp"

#include <string>

#include "cairn/output_buffer.hpp"
#include "format/text_formatter.hpp"
#include "platform/bounded_write.hpp"

namespace cairn::detail {

bool EmergencyOutput::may_write() noexcept {
  constexpr unsigned count_bits = 8;
  const auto second =
      static_cast<std::uint64_t>(std::chrono::floor<std::chrono::seconds>(clock_.steady()).count()) + 1;  // never 0
  std::uint64_t seen = second_.load(std::memory_order_relaxed);
  while (true) {
    const std::uint64_t lines = seen >> count_bits == second ? seen & ((1U << count_bits) - 1) : 0;
    if (lines >= lines_a_second) return false;
    if (second_.compare_exchange_weak(seen, (second << count_bits) | (lines + 1), std::memory_order_relaxed))
      return true;
  }
}

void EmergencyOutput::take(const Event& event) noexcept {
  if (!may_write()) {
    rate_limited_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  try {
    TextFormatter formatter(std::string("cairn: no sink took: ") += default_text_template, Rendering::literal,
                            TimeZone::utc);
    OutputBuffer line;
    formatter.format(event, line);
    if (write_to_stderr(line.view())) {
      emitted_.fetch_add(1, std::memory_order_relaxed);
      bytes_.fetch_add(line.size(), std::memory_order_relaxed);
      return;
    }
  } catch (...) {  // no memory
  }
  failed_.fetch_add(1, std::memory_order_relaxed);
}

void EmergencyOutput::counts_into(std::vector<SinkCounts>& out) const {
  SinkCounts counts;
  counts.name = name;
  counts.emitted = emitted_.load(std::memory_order_relaxed);
  if (const auto count = rate_limited_.load(std::memory_order_relaxed); count != 0)
    counts.dropped["rate_limited"] = count;
  if (const auto count = failed_.load(std::memory_order_relaxed); count != 0) counts.failed["io_error"] = count;
  counts.bytes_written = bytes_.load(std::memory_order_relaxed);
  counts.accepted = counts.emitted + counts.dropped_total() + counts.failed_total();  // each came to its end at once
  if (counts.accepted != 0) out.push_back(std::move(counts));
}

}  // namespace cairn::detail
