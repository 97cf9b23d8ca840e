#include "ring/crash_ring.hpp"

#include <unistd.h>

#include <cerrno>
#include <mutex>

namespace cairn::detail {

std::string ring_application(const CrashRingOptions& options) {
  std::string name = options.application.empty() ? program_invocation_short_name : options.application;
  for (char& c : name) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (!plain) c = '_';
  }
  name.resize(std::min<std::size_t>(name.size(), 100));
  if (name.empty() || name == "." || name == "..") name = "program";
  return name;
}

CrashRing::CrashRing(const CrashRingOptions& options, std::function<void(std::string_view)> tell)
    : tell_(std::move(tell)), boot_id_(current_boot_id()), bytes_(static_cast<std::size_t>(options.thread_bytes)) {
  std::string problem;
  const std::string path = options.folder + '/' + ring_application(options) + '-' + std::to_string(::geteuid());
  auto folder = std::make_shared<RingFolder>(path, true, problem);
  if (!*folder) {
    rings_.get().problem = problem;
    tell_(problem);
    return;
  }
  folder_ = std::move(folder);
  std::shared_ptr<OwnRing> first = take();
  enabled_ = first != nullptr;
  give_back(std::move(first));
}

std::shared_ptr<OwnRing> CrashRing::take() noexcept {
  try {
    Rings& rings = rings_.get();
    bool is_news = false;
    std::string problem;
    {
      const std::lock_guard held(rings.lock);
      if (!rings.free.empty()) {
        std::shared_ptr<OwnRing> ring = std::move(rings.free.back());
        rings.free.pop_back();
        return ring;
      }
      rings.all.reserve(rings.all.size() + 1);
      rings.free.reserve(rings.all.size() + 1);  // so that giving back needs no memory
      if (auto ring = OwnRing::create(folder_, bytes_, boot_id_, problem)) {
        rings.all.push_back(ring);
        return ring;
      }
      is_news = rings.problem.empty();
      rings.problem = problem;
    }
    if (is_news) tell_(problem);
  } catch (...) {  // no memory: this thread goes without
  }
  return nullptr;
}

void CrashRing::give_back(std::shared_ptr<OwnRing> ring) noexcept {
  if (!ring) return;
  try {
    Rings& rings = rings_.get();
    const std::lock_guard held(rings.lock);
    rings.free.push_back(std::move(ring));
  } catch (...) {  // its events stay where they are
  }
}

void CrashRing::close() noexcept {
  try {
    Rings& rings = rings_.get();
    const std::lock_guard held(rings.lock);
    for (const auto& ring : rings.all) {
      if (ring->writer().acknowledged() >= ring->writer().next()) ring->remove();
      ring->let_go();
    }
    rings.free.clear();
  } catch (...) {  // a child without memory: it has none
  }
}

CrashRing::Counts CrashRing::counts() {
  Counts counts;
  Rings& rings = rings_.get();
  const std::lock_guard held(rings.lock);
  counts.state = rings.problem.empty() ? "on" : "disabled: " + rings.problem;
  for (const auto& ring : rings.all) {
    counts.overwritten += ring->writer().overwritten();
    counts.left_out += ring->writer().left_out();
  }
  return counts;
}

}  // namespace cairn::detail
