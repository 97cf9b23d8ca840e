// The side of a crash ring that writes: what a thread logged, as plain bytes that another process can read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "capture/property_block.hpp"
#include "ring/ring_format.hpp"

namespace cairn::detail {

/// An event as the thread has it that logs it.
struct RingInput {
  const RecordHeader& record;
  const PropertyBlock& context;
  std::uint64_t context_version;  // differs where the context does, in one thread; not 0
  const PropertyBlock& logger;
  std::uint64_t logger_serial;         // differs where the logger does; not 0
  const PropertyBlock* enrichments{};  // or null
};

/// At most one thread writes at a time; all else is thread-safe.
class RingWriter {
 public:
  /// Makes `file` a ring without an event: its header, and ring_blocks blocks in what is left. Zero bytes are taken for
  /// granted. Throws std::bad_alloc.
  RingWriter(std::span<std::byte> file, std::string_view boot_id, std::uint64_t process);
  RingWriter(const RingWriter&) = delete;
  RingWriter& operator=(const RingWriter&) = delete;

  /// Copies an event in, with whatever it needs; once it returns, the event survives the process. False: no block has
  /// room for it, or there is no memory; counted.
  bool write(const RingInput& input) noexcept;
  /// Another thread writes from now on, whose contexts have versions of their own. By that thread.
  void begin_thread() noexcept { context_version_ = 0; }
  /// The number that the next event gets. Also where write() gave false: numbers are those of write's calls. From any
  /// thread.
  [[nodiscard]] std::uint64_t next() const noexcept;
  /// Events below `number` are done with. From any thread; a lower number than before changes nothing.
  void acknowledge(std::uint64_t number) noexcept;
  [[nodiscard]] std::uint64_t acknowledged() const noexcept;
  /// Events that were lost to a later one before they were acknowledged; and that had no room at all. From any thread.
  [[nodiscard]] std::uint64_t overwritten() const noexcept;
  [[nodiscard]] std::uint64_t left_out() const noexcept;

 private:
  /// Tells a site, a type or a logger from others.
  using Key = std::array<std::uint64_t, 3>;
  /// What has been written in the block that is open.
  struct Known {
    Key key{};
    std::uint64_t generation = 0;  // of an older one: a free place
    std::uint32_t number = 0;
    bool dynamic = false;  // its values hold keys of types
  };
  class Entry;

  [[nodiscard]] static Key key_of_site(const RecordHeader& record) noexcept;
  [[nodiscard]] bool put_alike(const RingInput& input) noexcept;
  [[nodiscard]] bool try_write(const RingInput& input);
  [[nodiscard]] bool put_event(const RecordHeader& record, std::uint32_t site, std::uint32_t logger) noexcept;
  [[nodiscard]] std::uint32_t begin_sum(RingEntry::Kind kind) const noexcept;
  void commit(RingEntry::Kind kind, std::size_t size, std::uint32_t sum) noexcept;
  void open_block() noexcept;
  [[nodiscard]] Known& find(const Key& key);
  void remember(const Key& key);
  [[nodiscard]] bool define_type(const ValueType& type, bool& dynamic);
  [[nodiscard]] bool define_types_of(const ValueType& type, const std::byte*& at);
  [[nodiscard]] bool define_types_of(const PropertyBlock& block);
  [[nodiscard]] bool define_site(const RecordHeader& record, std::uint32_t& number, bool& dynamic);
  [[nodiscard]] bool define_logger(const RingInput& input, std::uint32_t& number);
  [[nodiscard]] bool define_properties(RingEntry::Kind kind, const PropertyBlock& block, std::uint32_t number);

  std::span<std::byte> file_;
  RingHeader& header_;
  std::size_t block_bytes_;
  std::byte* block_ = nullptr;  // the open one
  std::byte* at_ = nullptr;     // where its next entry goes
  std::byte* end_ = nullptr;    // a word before the block's end
  std::uint64_t generation_ = 0;
  std::uint32_t generation_sum_ = 0;
  std::uint64_t next_ = 0;
  std::vector<std::uint64_t> first_;  // of each block that is in use, the number of its first event
  std::vector<Known> known_;          // by hash; a power of two
  std::size_t known_count_ = 0;
  std::uint32_t numbers_ = 0;  // of sites and loggers
  Known latest_site_;
  Known latest_logger_;
  std::uint64_t context_version_ = 0;  // of the latest context that was looked at; 0: the thread has none yet
  bool context_is_empty_ = true;       // the latest in the block, of whatever thread
  std::uint32_t contexts_ = 0;         // in the block
};

}  // namespace cairn::detail
