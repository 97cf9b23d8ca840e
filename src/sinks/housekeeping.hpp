// What happens to the files that are done with: they are compressed, and the oldest are deleted. Works on what it finds
// in the directory, so whatever an earlier run left half done is done now. It touches only regular files that this log
// made (own_files.hpp), whose names are, to the letter, names of this log, and only those that come before the one
// being written.
//
// Files are deleted at once; they are compressed by a thread of the lowest priority, begun at the first need.
// Thread-safety: `tidy` from one thread at a time; everything else from any.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cairn/clock.hpp"
#include "cairn/detail/fork_mutex.hpp"
#include "cairn/file_options.hpp"
#include "platform/file_ops.hpp"
#include "sinks/file_counters.hpp"
#include "sinks/file_names.hpp"
#include "sinks/own_files.hpp"
#include "sinks/owner_lock.hpp"
#include "sinks/safe_open.hpp"

namespace cairn::detail {

class Housekeeping final : private ForkHandler {
 public:
  /// Called with a sentence when something could not be compressed, once a minute at most, from that thread.
  using Report = std::function<void(std::string_view)>;

  Housekeeping(std::string directory, const FileNames& names, const FileOptions& options, FileOps& ops, Clock& clock,
               FileCounters counters, Report report);
  /// Breaks off what is being compressed (the next start does it again) and waits for the thread.
  ~Housekeeping();
  Housekeeping(const Housekeeping&) = delete;
  Housekeeping& operator=(const Housekeeping&) = delete;

  /// The lock under which compression happens, so that of several processes one does it. To be set before the first
  /// tidy().
  void use_lock(std::shared_ptr<OwnerLock> lock) {
    const std::lock_guard guard(mutex_);
    lock_ = std::move(lock);
  }

  /// `active` is the file being written from now on, and `own` knows which are the log's. Adds to `notes` what is to be
  /// told: that files cannot be deleted, once a minute at most, and once that some are not the log's.
  void tidy(FileId active, const OwnFiles& own, std::vector<std::string>& notes);
  /// Waits until nothing is left to do; for tests and for tools.
  void wait_until_idle();

 private:
  struct Found {
    std::string name;
    FileIdentity identity;
    FileNames::Match match;
    std::uint64_t size = 0;
    std::int64_t modified = 0;  ///< Seconds since 1970.
    bool active = false;
    bool older = false;  ///< Than all that are not.
    bool empty = false;  ///< Done with, without a byte.
  };

  void before_fork(std::chrono::steady_clock::time_point deadline) noexcept override {
    held_for_fork_.take(mutex_, deadline);
  }
  void after_fork(bool child) noexcept override;
  [[nodiscard]] bool retains() const noexcept { return retain_files_ != 0 || retain_age_ || retain_bytes_; }
  [[nodiscard]] Problem look(FileId active, const OwnFiles& own, Descriptor& directory, std::vector<Found>& found,
                             std::vector<std::string>& others);
  [[nodiscard]] std::string sentence_on(const std::vector<std::string>& others) const;
  void retain(int directory, std::vector<Found>& found, std::vector<std::string>& notes);
  [[nodiscard]] bool may_tell();
  void start_compressing(std::vector<Found> found);
  void run();
  void compress_all(const std::vector<Found>& found);
  [[nodiscard]] Problem compress(int directory, const Found& file, OwnerLock& lock);
  [[nodiscard]] Problem add_to_own(int directory, const OpenedFile& file, bool older);
  [[nodiscard]] Problem copy_compressed(int from, int to, const std::string& path);
  void compressing_failed(const Problem& what);
  [[nodiscard]] bool stopping() const noexcept { return stop_.load(std::memory_order_relaxed); }

  const std::string directory_;
  const FileNames names_;
  const std::string unfinished_;  // the name of a file while it is compressed
  const std::size_t retain_files_;
  const std::optional<std::chrono::seconds> retain_age_;
  const std::optional<std::uint64_t> retain_bytes_;
  const Compress kind_;
  const bool trust_folder_;
  const bool adopts_;
  FileOps& ops_;
  Clock& clock_;
  const Report report_;
  OwnFiles own_;  // of the thread that compresses
  bool told_of_others_ = false;
  std::atomic<std::int64_t> reported_at_{INT64_MIN};  // steady nanoseconds

  FileCounters counters_;

  std::atomic<bool> stop_{false};  // relaxed: only a hint to break off; what wakes the thread is under the mutex
  std::mutex mutex_;
  HeldOverFork held_for_fork_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::shared_ptr<OwnerLock> lock_;
  std::optional<std::vector<Found>> wanted_;  // to be compressed
  bool working_ = false;
  std::thread thread_;
};

}  // namespace cairn::detail
