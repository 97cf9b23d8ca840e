// Roots that asked for something, by the time they were made.
#pragma once

#include <algorithm>
#include <mutex>
#include <vector>

#include "cairn/detail/fork_mutex.hpp"
#include "logger/root.hpp"

namespace cairn::detail {

/// Safe from every thread. A list is made once and never destroyed: it is read after the statics are gone.
class RootList {
 public:
  void add(Root& root) {
    const std::lock_guard lock(mutex_);
    roots_.push_back(&root);
  }
  void remove(Root& root) noexcept {
    const std::lock_guard lock(mutex_);
    std::erase(roots_, &root);
  }
  [[nodiscard]] std::size_t size() {
    const std::lock_guard lock(mutex_);
    return roots_.size();
  }
  /// The last first. Each lives until its drop_reference().
  [[nodiscard]] std::vector<Root*> all() {
    const std::lock_guard lock(mutex_);
    std::vector<Root*> roots(roots_.rbegin(), roots_.rend());
    for (Root* root : roots) root->add_reference();
    return roots;
  }
  /// Runs `f(root)` for each, the last first, under no lock; each lives as long as that.
  template <class F>
  void for_each(F&& f) {
    for (Root* root : all()) {
      f(*root);
      root->drop_reference();
    }
  }

 private:
  ForkMutex mutex_;
  std::vector<Root*> roots_;
};

}  // namespace cairn::detail
