#include "pipeline/stage_registry.hpp"

#include <mutex>
#include <vector>

#include "cairn/detail/fork_mutex.hpp"
#include "platform/made_once.hpp"

namespace cairn::detail {

namespace {

struct Registry {
  ForkMutex mutex{ForkTurn::outermost};  // stages' own are taken under it
  std::vector<SinkStage*> stages;
};
Registry& registry() {
  static constinit MadeOnce<Registry> made;  // never destroyed: a logger may outlive every static
  return made.get();
}

}  // namespace

void list_stage(SinkStage& stage) {
  const std::lock_guard lock(registry().mutex);
  registry().stages.push_back(&stage);
}

void unlist_stage(SinkStage& stage) noexcept {
  const std::lock_guard lock(registry().mutex);
  std::erase(registry().stages, &stage);
}

void with_all_stages(const std::function<void(std::span<SinkStage* const>)>& f) {
  const std::lock_guard lock(registry().mutex);
  f(registry().stages);
}

}  // namespace cairn::detail
