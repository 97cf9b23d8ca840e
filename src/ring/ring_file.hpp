// Crash rings as files: those of this process, mapped and locked, and those that others left.
//
// They live in memory (/dev/shm), in a folder of the user's own. The lock is a POSIX owner lock on the ring itself: the
// kernel lets go of it when the process dies, and no child has it. Such a lock vanishes as soon as any descriptor of
// the file is closed in the process, and keeps none of its threads out, so a register of the process keeps it from
// opening a ring twice.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/fork_generation.hpp"
#include "ring/ring_bytes.hpp"
#include "ring/ring_call.hpp"
#include "ring/ring_writer.hpp"

namespace cairn::detail {

/// Of the kernel's run; empty where it cannot be read.
[[nodiscard]] std::string current_boot_id();

/// An owned directory of rings.
class RingFolder {
 public:
  /// Makes it (0700) where it is missing. On failure the object is false and `problem` says why: it is no directory, of
  /// another user, or open to others.
  RingFolder(const std::string& path, bool make, std::string& problem);
  RingFolder(const RingFolder&) = delete;
  RingFolder& operator=(const RingFolder&) = delete;
  ~RingFolder();
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int descriptor() const noexcept { return fd_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// Is it there still? Who is done with its rings removes it.
  [[nodiscard]] bool exists() const noexcept;
  void remove_if_empty() const noexcept;
  /// Names of what may be rings in it, sorted; also of those that were set aside?
  [[nodiscard]] std::vector<std::string> names(bool set_aside) const;

 private:
  std::string path_;
  int fd_ = -1;
};

/// What keeps how far a ring's events are delivered.
class AcknowledgedRing {
 public:
  AcknowledgedRing(const AcknowledgedRing&) = delete;
  AcknowledgedRing& operator=(const AcknowledgedRing&) = delete;
  /// Events below `number` are done with. Not by two threads at once.
  virtual void acknowledge(std::uint64_t number) noexcept = 0;

 protected:
  AcknowledgedRing() = default;
  ~AcknowledgedRing() = default;
};

/// A ring of this process: mapped, locked.
class OwnRing final : public AcknowledgedRing {
 public:
  /// A new file `<pid>-<n>.ring` of `bytes` bytes, all of them taken now. Null: `problem` says why.
  [[nodiscard]] static std::shared_ptr<OwnRing> create(std::shared_ptr<RingFolder> folder, std::size_t bytes,
                                                       std::string_view boot_id, std::string& problem);
  /// Lets go of the file, which stays unless it was removed.
  ~OwnRing();
  [[nodiscard]] RingWriter& writer() noexcept { return *writer_; }
  /// As RingWriter::write(). Nothing in a child, which has not its memory: a signal handler may have forked in the
  /// middle of the call that comes here.
  void write(const RingInput& input) noexcept {
    const RingCall inside(memory_);
    if (process_ == fork_generation()) (void)writer_->write(input);
  }
  void acknowledge(std::uint64_t number) noexcept override { writer_->acknowledge(number); }
  /// Its bytes are charged: `release` is called when its memory goes.
  void charged(void (*release)(std::size_t bytes) noexcept) noexcept { release_ = release; }
  /// Whatever is in it is not needed any more.
  void remove() noexcept;
  /// Ends the lock, so that somebody may recover what is in it. The memory stays.
  void let_go() noexcept;

 private:
  OwnRing() = default;
  [[nodiscard]] int make_file();
  std::shared_ptr<RingFolder> folder_;
  std::string name_;
  int fd_ = -1;
  std::span<std::byte> memory_;
  std::uint64_t process_ = 0;  // fork_generation() of who mapped it
  std::unique_ptr<RingWriter> writer_;
  void (*release_)(std::size_t bytes) noexcept = nullptr;
};

/// A ring that a dead process left: locked. In a child that is forked, nothing happens to the file, nor is it read.
class LeftRing final : public AcknowledgedRing, public RingBytes {
 public:
  enum class Found : std::uint8_t { claimed, in_use, gone, refused };
  /// Takes the ring of that name, unless its owner lives or it is one of this process. With `rename`, it is given a
  /// name that says it is being recovered. `refused`: `problem` says why.
  [[nodiscard]] static Found claim(const std::shared_ptr<RingFolder>& folder, const std::string& name, bool rename,
                                   std::shared_ptr<LeftRing>& ring, std::string& problem);
  ~LeftRing();
  [[nodiscard]] std::size_t size() const noexcept override { return size_; }
  [[nodiscard]] std::span<const std::byte> read(std::size_t at, std::size_t size) override;
  /// Lets go of what was read.
  void drop_bytes() noexcept {
    room_.reset();
    room_size_ = 0;
  }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// With that, attempts begin anew: with this one, which may have more of it under way.
  void acknowledge(std::uint64_t number) noexcept override;
  /// How many processes began to deliver it, this one included, and came to no end.
  void note_attempts(std::uint64_t attempts) noexcept;
  void add_attempts(std::uint64_t more) noexcept;
  void remove() noexcept;
  /// Gives it back under the name it had.
  void leave() noexcept;
  /// Gives it a name under which it is left alone.
  void set_aside() noexcept;

 private:
  LeftRing() = default;
  [[nodiscard]] Found open_file(struct stat& info, std::string& problem);
  [[nodiscard]] int rename_to(std::string_view stem, std::string_view with);
  void write_header(const void* bytes, std::size_t size, std::size_t at) noexcept;
  [[nodiscard]] bool is_ours() const noexcept;
  std::shared_ptr<RingFolder> folder_;
  std::string name_;
  std::string original_;
  int fd_ = -1;
  std::uint64_t process_ = 0;  // fork_generation() of who opened it
  std::size_t size_ = 0;
  std::unique_ptr<std::byte[]> room_;  // for what is read
  std::size_t room_size_ = 0;
};

}  // namespace cairn::detail
