// Which names of sources that nothing can name were told already: a name from data comes with every request.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <string_view>

namespace cairn::detail {

/// Safe from every thread, without a lock.
class ToldSources {
 public:
  static constexpr std::size_t most = 16;

  /// True the first time for a name, of so many names.
  [[nodiscard]] bool is_new(std::string_view name) noexcept {
    const std::size_t mark = std::hash<std::string_view>{}(name) | 1U;  // 0: nothing is there
    for (std::atomic<std::size_t>& there : marks_) {
      std::size_t found = 0;
      // relaxed: a mark stands for itself
      if (there.compare_exchange_strong(found, mark, std::memory_order_relaxed)) return true;
      if (found == mark) return false;
    }
    return false;
  }

 private:
  std::array<std::atomic<std::size_t>, most> marks_{};
};

}  // namespace cairn::detail
