// How long calls took, as a histogram of one thread: cheap enough for every call.
#pragma once

#include <cairn/latency_histogram.hpp>
#include <chrono>

namespace cairn::fault_bench {

class CallTimes {
 public:
  template <class Call>
  void time(Call&& call) {
    const auto begun = std::chrono::steady_clock::now();
    call();
    histogram.record(std::chrono::steady_clock::now() - begun);
  }
  [[nodiscard]] double microseconds(double share) const {
    return std::chrono::duration<double, std::micro>(histogram.percentile(share)).count();
  }
  LatencyHistogram histogram;
};

}  // namespace cairn::fault_bench
