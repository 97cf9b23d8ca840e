#include "ring/crash_ring.hpp"

#include <unistd.h>

#include <cerrno>
#include <mutex>

namespace cairn::detail {

namespace {
/// Looking for room where there is none takes longer than a thread's first call may, and fills what there is meanwhile.
constexpr auto refusal_holds = std::chrono::seconds(1);
}  // namespace

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

CrashRing::CrashRing(const CrashRingOptions& options, const RingAccount& account,
                     std::function<void(std::string_view)> tell)
    : account_(account),
      tell_(std::move(tell)),
      path_(options.folder + '/' + ring_application(options) + '-' + std::to_string(::geteuid())),
      boot_id_(current_boot_id()),
      bytes_(static_cast<std::size_t>(options.thread_bytes)) {
  std::string problem;
  auto folder = std::make_shared<RingFolder>(path_, true, problem);
  if (!*folder) {
    rings_.get().problem = problem;
    tell_(problem);
    return;
  }
  folder_ = std::move(folder);
}

void CrashRing::make_first() noexcept {
  std::shared_ptr<OwnRing> first = take();
  if (!first) folder_->remove_if_empty();
  give_back(std::move(first));
}

std::shared_ptr<OwnRing> CrashRing::take() noexcept {
  try {
    Rings& rings = rings_.get();
    {
      const std::lock_guard held(rings.lock);
      if (!rings.free.empty()) {
        std::shared_ptr<OwnRing> ring = std::move(rings.free.back());
        rings.free.pop_back();
        return ring;
      }
      if (std::chrono::steady_clock::now() < rings.not_before) return nullptr;
    }
    std::string problem;
    std::shared_ptr<OwnRing> ring = make(problem);
    bool is_news = false;
    {
      const std::lock_guard held(rings.lock);
      if (ring) {
        rings.free.reserve(rings.all.size() + 1);  // so that giving back needs no memory
        rings.all.push_back(ring);
        rings.problem.clear();
        return ring;
      }
      is_news = rings.problem.empty();
      rings.problem = problem;
      rings.not_before = std::chrono::steady_clock::now() + refusal_holds;
    }
    if (is_news) tell_(problem);
  } catch (...) {  // no memory: this thread goes without
  }
  return nullptr;
}

std::shared_ptr<OwnRing> CrashRing::make(std::string& problem) {
  if (!account_.charge(bytes_)) {
    problem = "the memory budget has no room for a ring of " + std::to_string(bytes_) + " bytes";
    return nullptr;
  }
  std::shared_ptr<OwnRing> ring;
  try {
    Rings& rings = rings_.get();
    constexpr int most_attempts = 100;
    for (int attempt = 0; !ring && attempt < most_attempts; ++attempt) {
      std::shared_ptr<RingFolder> folder;
      {
        const std::lock_guard held(rings.lock);
        if (!rings.folder) rings.folder = folder_;
        if (!rings.folder->exists()) {  // another process was done with it
          auto again = std::make_shared<RingFolder>(path_, true, problem);
          if (!*again) break;
          rings.folder = std::move(again);
        }
        folder = rings.folder;
      }
      ring = OwnRing::create(folder, bytes_, boot_id_, problem);
      if (!ring && folder->exists()) break;
    }
  } catch (...) {
    account_.release(bytes_);
    throw;
  }
  if (ring) {
    ring->charged(account_.release);
  } else {
    account_.release(bytes_);
  }
  return ring;
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
    if (rings.folder) rings.folder->remove_if_empty();
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
