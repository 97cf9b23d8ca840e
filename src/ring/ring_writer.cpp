#include "ring/ring_writer.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <ctime>

#include "capture/event_parts.hpp"
#include "platform/crc32c.hpp"

namespace cairn::detail {

namespace {

// What a reader finds after the process was killed is what was stored, in the order of the stores: the processor keeps
// that order, `release` has the compiler keep it.
void store(std::uint64_t& word, std::uint64_t value) noexcept {
  std::atomic_ref(word).store(value, std::memory_order_release);
}
std::uint64_t load_relaxed(const std::uint64_t& word) noexcept {
  return std::atomic_ref(const_cast<std::uint64_t&>(word)).load(std::memory_order_relaxed);
}
void count(std::uint64_t& word, std::uint64_t by) noexcept {  // one thread at a time
  std::atomic_ref(word).store(load_relaxed(word) + by, std::memory_order_relaxed);
}

std::uint64_t key_of(const void* address) noexcept { return reinterpret_cast<std::uintptr_t>(address); }

constexpr std::size_t first_table_size = 1024;

constexpr std::uint32_t kept_flags =
    RecordHeader::level_mask | RecordHeader::has_exception | RecordHeader::truncated | RecordHeader::tsc_time;

[[nodiscard]] bool has_own_types(const RecordHeader& record) noexcept {
  return record.is(RecordHeader::function_form | RecordHeader::dynamic_form);
}
[[nodiscard]] const FunctionFormHeader& own_types(const RecordHeader& record) noexcept {
  return *reinterpret_cast<const FunctionFormHeader*>(&record + 1);
}
[[nodiscard]] const ValueType* const* types_of(const RecordHeader& record) noexcept {
  return has_own_types(record) ? own_types(record).types : static_cast<const CallSite*>(record.site)->types;
}
/// What of a record goes in as it is.
[[nodiscard]] std::span<const std::byte> body_of(const RecordHeader& record) noexcept {
  const std::size_t headers = sizeof(RecordHeader) + (has_own_types(record) ? sizeof(FunctionFormHeader) : 0);
  return {reinterpret_cast<const std::byte*>(&record) + headers, record.size() - headers};
}

}  // namespace

/// An entry being written: nothing of it counts before commit().
class RingWriter::Entry {
 public:
  Entry(RingWriter& ring, RingEntry::Kind kind) noexcept : ring_(ring), at_(ring.at_), kind_(kind) {
    skip(sizeof(RingEntry));
  }
  void put(const void* bytes, std::size_t size) noexcept {
    if (size > static_cast<std::size_t>(ring_.end_ - at_)) {
      full_ = true;
      return;
    }
    if (size != 0) std::memcpy(at_, bytes, size);
    at_ += size;
  }
  template <class T>
  void put(const T& value) noexcept {
    put(&value, sizeof(value));
  }
  void put_text(std::string_view text) noexcept {
    put(static_cast<std::uint32_t>(text.size()));
    put(text.data(), text.size());
  }
  /// False: there was no room.
  [[nodiscard]] bool commit() noexcept {
    const auto unpadded = static_cast<std::size_t>(at_ - ring_.at_);
    constexpr std::uint64_t zeros = 0;
    put(&zeros, (8 - unpadded % 8) % 8);
    if (full_) return false;
    std::byte* const begin = ring_.at_;
    const auto size = static_cast<std::size_t>(at_ - begin);
    const std::uint32_t sum = crc32c(begin + sizeof(RingEntry), size - sizeof(RingEntry), ring_.begin_sum(kind_));
    ring_.commit(kind_, size, sum);
    return true;
  }

 private:
  void skip(std::size_t size) noexcept {
    if (size > static_cast<std::size_t>(ring_.end_ - at_)) {
      full_ = true;
    } else {
      at_ += size;
    }
  }
  RingWriter& ring_;
  std::byte* at_;
  RingEntry::Kind kind_;
  bool full_ = false;
};

std::uint32_t RingWriter::begin_sum(RingEntry::Kind kind) const noexcept {
  return generation_sum_ ^ static_cast<std::uint32_t>(at_ - block_) ^ static_cast<std::uint32_t>(kind);
}

/// The entry at the writer's place counts from now on.
void RingWriter::commit(RingEntry::Kind kind, std::size_t size, std::uint32_t sum) noexcept {
  auto& entry = *reinterpret_cast<RingEntry*>(at_);
  entry.crc = sum;
  entry.kind = kind;
  at_ += size;
  store(*reinterpret_cast<std::uint64_t*>(at_), 0);  // there is room: end_ is a word before the end
  store(entry.commit, generation_ << 32U | size);
}

RingWriter::RingWriter(std::span<std::byte> file, std::string_view boot_id, std::uint64_t process)
    : file_(file),
      header_(*new (file.data()) RingHeader),
      block_bytes_((file.size() - RingHeader::bytes) / ring_blocks & ~std::size_t{4095}),
      first_(ring_blocks),
      known_(first_table_size) {
  header_.version = RingHeader::current_version;
  header_.layout = ring_layout();
  header_.endian = RingHeader::expected_endian;
  boot_id.copy(header_.boot_id, sizeof(header_.boot_id) - 1);
  header_.started = TscClock::sample().wall;
  header_.process = process;
  header_.block_bytes = block_bytes_;
  header_.block_count = ring_blocks;
  std::memcpy(header_.magic, RingHeader::expected_magic, sizeof(header_.magic));
  const std::uint32_t crc = crc32c(&header_, RingHeader::written_once);
  std::atomic_ref(header_.crc).store(crc, std::memory_order_release);
}

void RingWriter::acknowledge(std::uint64_t number) noexcept {
  const std::atomic_ref word(header_.acknowledged);
  std::uint64_t before = word.load(std::memory_order_relaxed);
  // relaxed: it guards nothing; what is read after a crash is the latest store
  while (before < number && !word.compare_exchange_weak(before, number, std::memory_order_relaxed)) {
  }
}
std::uint64_t RingWriter::next() const noexcept { return load_relaxed(next_); }
std::uint64_t RingWriter::acknowledged() const noexcept { return load_relaxed(header_.acknowledged); }
std::uint64_t RingWriter::overwritten() const noexcept { return load_relaxed(header_.overwritten); }
std::uint64_t RingWriter::left_out() const noexcept { return load_relaxed(header_.left_out); }

void RingWriter::open_block() noexcept {
  const std::uint64_t generation = generation_ + 1;
  const std::size_t index = generation % ring_blocks;
  if (generation > ring_blocks) {  // it holds older events, up to the first of the block after it
    const std::uint64_t begin = std::max(first_[index], acknowledged());
    const std::uint64_t end = first_[(index + 1) % ring_blocks];
    if (end > begin) count(header_.overwritten, end - begin);
  }
  block_ = file_.data() + RingHeader::bytes + index * block_bytes_;
  auto& block = *reinterpret_cast<RingBlock*>(block_);
  store(block.generation, 0);
  at_ = block_ + sizeof(RingBlock);
  end_ = block_ + block_bytes_ - sizeof(std::uint64_t);
  store(*reinterpret_cast<std::uint64_t*>(at_), 0);
  block.magic = RingBlock::expected_magic;
  block.first = next_;
  block.opened = TscClock::sample();
  RingBlock whole = block;
  whole.generation = generation;
  block.crc = crc32c(&whole.generation, sizeof(RingBlock) - offsetof(RingBlock, generation));
  store(block.generation, generation);
  first_[index] = next_;
  generation_ = generation;
  generation_sum_ = crc32c(&generation, sizeof(generation));
  known_count_ = 0;
  numbers_ = 0;
  context_version_ = 0;
  context_is_empty_ = true;
  contexts_ = 0;
}

/// Where that key is, or would be.
RingWriter::Known& RingWriter::find(const Key& key) {
  std::uint64_t hash =
      (key[0] ^ key[1] * 0x9E3779B97F4A7C15ULL ^ key[2] * 0xC2B2AE3D27D4EB4FULL) * 0x9E3779B97F4A7C15ULL;
  hash ^= hash >> 32U;
  const std::size_t mask = known_.size() - 1;
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    Known& place = known_[at];
    if (place.generation != generation_ || place.key == key) return place;
  }
}

void RingWriter::remember(const Key& key) {
  find(key) = {key, generation_, 0, false};
  if (++known_count_ * 2 <= known_.size()) return;
  std::vector<Known> before(known_.size() * 2);
  std::swap(before, known_);
  for (const Known& kept : before) {
    if (kept.generation == generation_) find(kept.key) = kept;
  }
}

/// Writes a type and all it is made of, where they are not there yet. `dynamic`: do its values hold keys of types?
bool RingWriter::define_type(const ValueType& type, bool& dynamic) {
  const Key key{key_of(&type), 0, 0};
  if (Known& known = find(key); known.generation == generation_) {
    dynamic = dynamic || known.dynamic;
    return true;
  }
  const bool itself = type.kind == ValueKind::dynamic || type.kind == ValueKind::named_structure;
  remember(key);
  find(key).dynamic = true;  // until it is known better: a type may contain itself

  bool parts = itself;
  if (type.element != nullptr && !define_type(*type.element, parts)) return false;
  if (type.key != nullptr && !define_type(*type.key, parts)) return false;
  for (std::uint32_t i = 0; i < type.member_count; ++i) {
    if (!define_type(*type.members[i].type, parts)) return false;
  }
  Entry entry(*this, RingEntry::Kind::type);
  RingType fields;
  fields.key = key[0];
  fields.element = key_of(type.element);
  fields.mapped_by = key_of(type.key);
  fields.numerator = type.numerator;
  fields.denominator = type.denominator;
  fields.zero = type.zero;
  fields.member_count = type.member_count;
  fields.enumerator_count = type.enumerator_count;
  fields.kind = type.kind;
  fields.is_unsigned = type.is_unsigned ? 1 : 0;
  fields.floating = static_cast<std::uint8_t>(type.from_float ? 2 : type.floating ? 1 : 0);
  entry.put(fields);
  entry.put_text(type.name);
  for (std::uint32_t i = 0; i < type.member_count; ++i) {
    entry.put(key_of(type.members[i].type));
    entry.put_text(type.members[i].name);
  }
  for (std::uint32_t i = 0; i < type.enumerator_count; ++i) {
    entry.put(type.enumerators[i].value);
    entry.put_text(type.enumerators[i].name);
  }
  if (!entry.commit()) return false;
  find(key).dynamic = parts;
  dynamic = dynamic || parts;
  return true;
}

/// Writes the types whose keys stand in a value, and moves past it.
bool RingWriter::define_types_of(const ValueType& type, const std::byte*& at) {
  switch (type.kind) {
    case ValueKind::dynamic: {
      const auto* inner = load<const ValueType*>(at);
      at += sizeof(inner);
      bool dynamic = false;
      if (!define_type(*inner, dynamic)) return false;
      if (dynamic) return define_types_of(*inner, at);
      at = skip_value(*inner, at);
      return true;
    }
    case ValueKind::sequence:
    case ValueKind::dictionary:
    case ValueKind::structure:
    case ValueKind::named_structure: {
      const auto header = load<ContainerHeader>(at);
      if (header.size == special_size) break;
      const std::byte* const end = at + sizeof(header) + header.size;
      at += sizeof(header);
      if (type.kind == ValueKind::named_structure) at = skip_value(string_type, at);
      for (std::uint32_t i = 0; i < header.count; ++i) {
        if (type.kind == ValueKind::named_structure) {
          at = skip_value(string_type, at);
          if (!define_types_of(dynamic_type, at)) return false;
        } else if (type.kind == ValueKind::structure) {
          if (!define_types_of(*type.members[i].type, at)) return false;
        } else {
          if (type.kind == ValueKind::dictionary && !define_types_of(*type.key, at)) return false;
          if (!define_types_of(*type.element, at)) return false;
        }
      }
      at = end;
      return true;
    }
    default: break;
  }
  at = skip_value(type, at);
  return true;
}

bool RingWriter::define_types_of(const PropertyBlock& block) {
  for (std::size_t at = 0; at < block.size_bytes();) {
    const std::byte* entry = block.data() + at;
    const auto fields = load<PropertyEntry>(entry);
    const std::byte* value = entry + sizeof(fields) + fields.name_size;
    if (!define_types_of(dynamic_type, value)) return false;
    at += fields.size;
  }
  return true;
}

RingWriter::Key RingWriter::key_of_site(const RecordHeader& record) noexcept {
  Key key{key_of(record.site), key_of(types_of(record)), 0};
  if (has_own_types(record)) {
    const std::source_location& location = own_types(record).location;
    static_assert(sizeof(location) == sizeof(key[2]));
    std::memcpy(&key[2], &location, sizeof(key[2]));  // the same for the same place in the source
  } else {
    const SourcePlace place = static_cast<const CallSite*>(record.site)->place();
    key[2] = key_of(place.file) ^ std::uint64_t{place.line} << 48U;
  }
  return key;
}

bool RingWriter::define_site(const RecordHeader& record, std::uint32_t& number, bool& dynamic) {
  const Key key = key_of_site(record);
  if (const Known& known = find(key); known.generation == generation_) {
    number = known.number;
    dynamic = known.dynamic;
    latest_site_ = known;
    return true;
  }
  std::string_view text;
  std::string_view expressions;
  SourcePlace place;
  if (!has_own_types(record)) {
    const auto& site = *static_cast<const CallSite*>(record.site);
    text = {site.text, site.text_size};
    expressions = site.expressions();
    place = site.place();
  } else {
    if (record.is(RecordHeader::function_form)) text = static_cast<const char*>(record.site);
    place = SourcePlace::of(own_types(record).location);
  }
  const ValueType* const* const types = types_of(record);
  RingSite fields;
  for (const ValueType* const* type = types; *type != nullptr; ++type) {
    if (!define_type(**type, dynamic)) return false;
    ++fields.type_count;
  }
  fields.number = numbers_ + 1;
  fields.line = place.line;
  fields.is_dynamic = record.is(RecordHeader::dynamic_form) ? 1 : 0;
  Entry entry(*this, RingEntry::Kind::site);
  entry.put(fields);
  for (std::uint32_t i = 0; i < fields.type_count; ++i) entry.put(key_of(types[i]));
  entry.put_text(text);
  entry.put_text(expressions);
  entry.put_text(place.file);
  entry.put_text(place.function);
  if (!entry.commit()) return false;
  number = ++numbers_;
  remember(key);
  Known& known = find(key);
  known.number = number;
  known.dynamic = dynamic;
  return true;
}

bool RingWriter::define_properties(RingEntry::Kind kind, const PropertyBlock& block, std::uint32_t number) {
  if (!define_types_of(block)) return false;
  Entry entry(*this, kind);
  RingProperties fields;
  fields.number = number;
  fields.size = static_cast<std::uint32_t>(block.size_bytes());
  fields.trace_size = block.trace() != nullptr ? PropertyBlock::trace_size : 0;
  entry.put(fields);
  entry.put(block.data(), fields.size);
  if (fields.trace_size != 0) entry.put(block.trace(), fields.trace_size);
  return entry.commit();
}

bool RingWriter::define_logger(const RingInput& input, std::uint32_t& number) {
  if (latest_logger_.generation == generation_ && latest_logger_.key[1] == input.logger_serial) {
    number = latest_logger_.number;
    return true;
  }
  constexpr std::uint64_t is_a_logger = 1;  // no address of a call site or type
  const Key key{is_a_logger, input.logger_serial, 0};
  if (find(key).generation != generation_) {
    if (!define_properties(RingEntry::Kind::logger, input.logger, numbers_ + 1)) return false;
    remember(key);
    find(key).number = ++numbers_;
  }
  latest_logger_ = find(key);
  number = latest_logger_.number;
  return true;
}

bool RingWriter::try_write(const RingInput& input) {
  if (context_version_ != input.context_version) {
    const bool empty = input.context.empty() && input.context.trace() == nullptr;
    if (!(empty && context_is_empty_)) {
      if (!define_properties(RingEntry::Kind::context, input.context, contexts_ + 1)) return false;
      ++contexts_;
    }
    context_is_empty_ = empty;
    context_version_ = input.context_version;
  }
  RingEvent fields;
  if (!input.logger.empty() && !define_logger(input, fields.logger)) return false;
  const RecordHeader& record = input.record;
  bool dynamic = false;
  if (!define_site(record, fields.site, dynamic)) return false;
  if (dynamic) {
    const std::byte* at = EventParts::after_headers(record);
    if (record.is(RecordHeader::has_exception)) at += load<std::uint32_t>(at);
    for (const ValueType* const* types = types_of(record); *types != nullptr; ++types) {
      if (!define_types_of(**types, at)) return false;
    }
  }
  if (input.enrichments == nullptr || input.enrichments->empty()) return put_event(record, fields.site, fields.logger);
  if (!define_types_of(*input.enrichments)) return false;
  const std::span<const std::byte> body = body_of(record);
  fields.number = next_;
  fields.time = record.time;
  fields.flags = record.size_and_flags & kept_flags;
  fields.enrichment_bytes = static_cast<std::uint32_t>(input.enrichments->size_bytes());
  fields.record_bytes = static_cast<std::uint32_t>(body.size());
  fields.context = contexts_;
  Entry entry(*this, RingEntry::Kind::event);
  entry.put(fields);
  entry.put(input.enrichments->data(), fields.enrichment_bytes);
  entry.put(body.data(), body.size());
  return entry.commit();
}

/// An event that nothing was added to, and all that it refers to is there. False: there is no room.
bool RingWriter::put_event(const RecordHeader& record, std::uint32_t site, std::uint32_t logger) noexcept {
  const std::span<const std::byte> body = body_of(record);
  const std::size_t size = sizeof(RingEntry) + sizeof(RingEvent) + body.size();
  if (size > static_cast<std::size_t>(end_ - at_)) return false;
  // Word by word: smaller parts just written would be read before they are there.
  const std::uint64_t words[5] = {next_, static_cast<std::uint64_t>(record.time),
                                  (record.size_and_flags & kept_flags) | std::uint64_t{site} << 32U, logger,
                                  body.size() | std::uint64_t{contexts_} << 32U};
  static_assert(sizeof(words) == sizeof(RingEvent) && offsetof(RingEvent, flags) == 16 &&
                offsetof(RingEvent, site) == 20 && offsetof(RingEvent, logger) == 24 &&
                offsetof(RingEvent, record_bytes) == 32 && offsetof(RingEvent, context) == 36);
  const std::uint32_t sum =
      crc32c_copy(at_ + sizeof(RingEntry), std::as_bytes(std::span(words)), body, begin_sum(RingEntry::Kind::event));
  commit(RingEntry::Kind::event, size, sum);
  // Lines that were written a lap ago; some records ahead they come in time. Nothing is read or written past the end.
  asm volatile("prefetchw %0\n\tprefetchw %1" : : "m"(at_[512]), "m"(at_[576]));
  return true;
}

/// The same where the event is like the one before it: of one site, one logger and one context, as most are.
bool RingWriter::put_alike(const RingInput& input) noexcept {
  if (block_ == nullptr || context_version_ != input.context_version || latest_site_.generation != generation_ ||
      latest_site_.dynamic || latest_site_.key != key_of_site(input.record))
    return false;
  std::uint32_t logger = 0;
  if (!input.logger.empty()) {
    if (latest_logger_.generation != generation_ || latest_logger_.key[1] != input.logger_serial) return false;
    logger = latest_logger_.number;
  }
  if (input.enrichments != nullptr && !input.enrichments->empty()) return false;
  return put_event(input.record, latest_site_.number, logger);
}

bool RingWriter::write(const RingInput& input) noexcept {
  bool written = false;
  try {
    if (put_alike(input)) {
      written = true;
    } else if (input.record.size() + sizeof(RingEvent) + sizeof(RingBlock) < block_bytes_) {
      const bool fresh = block_ == nullptr;
      if (fresh) open_block();
      written = try_write(input);
      if (!written && !fresh) {
        open_block();
        written = try_write(input);
      }
      if (!written) block_ = nullptr;  // what was begun there is known to be there, and is not
    }
  } catch (...) {  // no memory for the table
    block_ = nullptr;
  }
  if (!written) count(header_.left_out, 1);
  count(next_, 1);
  return written;
}

}  // namespace cairn::detail
