#include "ring/ring_reader.hpp"

#include <algorithm>
#include <cstring>

#include "cairn/detail/codec.hpp"
#include "capture/stringify.hpp"
#include "platform/crc32c.hpp"

namespace cairn::detail {

namespace {

constexpr std::uint32_t most_types = 4096;           // of one site
constexpr std::size_t most_stringified = 1U << 20U;  // bytes of an event with `$`

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

void mark_recovered(PropertyBlock& extras) { extras.replace("Recovered", OwnedValue(true).view()); }

/// What an event has in common with the one before is not counted anew: an atomic operation costs more than all the
/// rest.
template <class Part>
void share(std::shared_ptr<const Part>& to, const std::shared_ptr<const Part>& from) {
  if (to != from) to = from;
}

bool is_hex(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::uint32_t sum_of(const RingBlock& header) noexcept {
  return crc32c(&header.generation, sizeof(RingBlock) - offsetof(RingBlock, generation));
}

/// Whether one damaged bit made it 0: the sum holds with that bit.
bool lost_its_generation(RingBlock header) noexcept {
  if (header.magic != RingBlock::expected_magic) return false;
  for (header.generation = 1; header.generation != 0; header.generation <<= 1U) {
    if (sum_of(header) == header.crc) return true;
  }
  return false;
}

}  // namespace

RingReader::RingReader(RingBytes& bytes, std::string_view boot_id, const TscClock::Sample& now,
                       std::shared_ptr<RecoveredTypes> types)
    : bytes_(bytes), now_(now), types_(std::move(types)), status_(check_header(boot_id)) {
  if (status_ == Status::ok) find_blocks();
  auto extras = std::make_shared<PropertyBlock>();
  mark_recovered(*extras);
  no_extras_ = std::move(extras);
}

bool RingReader::empty_from(std::size_t at) {
  constexpr std::size_t most = 64 * 1024;
  while (at < bytes_.size()) {
    const auto part = bytes_.read(at, most);
    if (part.empty()) break;  // it was cut off meanwhile
    if (!std::all_of(part.begin(), part.end(), [](std::byte b) { return b == std::byte{}; })) return false;
    at += part.size();
  }
  return true;
}

RingReader::Status RingReader::check_header(std::string_view boot_id) {
  const auto head = bytes_.read(0, RingHeader::bytes);
  // A process that was killed while it made the file left it without a header.
  if (head.size() < RingHeader::bytes) return empty_from(0) ? Status::unused : Status::not_a_ring;
  std::memcpy(&header_, head.data(), sizeof(header_));
  if (header_.crc == 0) return empty_from(RingHeader::bytes) ? Status::unused : Status::not_a_ring;
  if (std::memcmp(header_.magic, RingHeader::expected_magic, sizeof(header_.magic)) != 0) return Status::not_a_ring;
  if (header_.endian != RingHeader::expected_endian || header_.version != RingHeader::current_version ||
      header_.layout != ring_layout())
    return Status::other_version;
  RingHeader summed = header_;
  summed.crc = 0;
  if (crc32c(&summed, RingHeader::written_once) != header_.crc) return Status::not_a_ring;
  header_.boot_id[sizeof(header_.boot_id) - 1] = '\0';
  if (header_.block_bytes < smallest_ring_block || header_.block_bytes > largest_ring_block ||
      header_.block_bytes % 8 != 0 || header_.block_count < 2 || header_.block_count > most_ring_blocks)
    return Status::not_a_ring;
  if (boot_id != header_.boot_id) return Status::other_boot;
  return Status::ok;
}

std::string RingReader::problem() const {
  switch (status_) {
    case Status::ok: return {};
    case Status::unused: return "it was never written to";
    case Status::not_a_ring: return "it is no crash ring, or its header is damaged";
    case Status::other_version:
      if (header_.endian != RingHeader::expected_endian) return "it is of a processor with another order of bytes";
      if (header_.version != RingHeader::current_version)
        return "it is of version " + std::to_string(header_.version) + " of crash rings, this reads version " +
               std::to_string(RingHeader::current_version);
      return "it is of another build of Cairn, whose values are laid out differently";
    case Status::other_boot:
      return "it is of another start of the computer (boot id " + printable(header_.boot_id) + ")";
  }
  return {};
}

void RingReader::find_blocks() {
  for (std::size_t i = 0; i < header_.block_count; ++i) {
    const std::size_t at = RingHeader::bytes + i * header_.block_bytes;
    const auto head = bytes_.read(at, sizeof(RingBlock));
    if (head.size() < sizeof(RingBlock)) break;
    Block block;
    std::memcpy(&block.header, head.data(), sizeof(RingBlock));
    if (block.header.generation == 0) {  // not in use, or about to be
      if (lost_its_generation(block.header)) ++damaged_;
      continue;
    }
    const std::uint32_t crc = sum_of(block.header);
    if (block.header.magic != RingBlock::expected_magic || block.header.crc != crc ||
        block.header.generation % header_.block_count != i) {
      ++damaged_;
      continue;
    }
    block.at = at;
    block.end = at + std::min<std::size_t>(header_.block_bytes, bytes_.size() - at);
    blocks_.push_back(block);
  }
  std::ranges::sort(blocks_, {}, [](const Block& block) { return block.header.generation; });
  least_ = header_.acknowledged;
}

bool RingReader::next_block() {
  if (block_ == blocks_.size()) return false;
  const Block& block = blocks_[block_++];
  open_ = block.header;
  const double steady = static_cast<double>(now_.steady) - static_cast<double>(open_.opened.steady);
  const auto ticks = static_cast<double>(now_.ticks) - static_cast<double>(open_.opened.ticks);
  rate_ = ticks > 0 ? steady / ticks : 0;
  if (!(rate_ > 0.01 && rate_ < 100)) rate_ = 0;  // the counter began anew since: all times are the block's
  types_->begin_block();
  sites_.clear();
  numbered_.clear();
  context_ = nullptr;
  context_number_ = 0;
  data_ = bytes_.read(block.at, block.end - block.at);  // what was kept of the block before is forgotten by now
  at_ = sizeof(RingBlock);
  end_ = std::max(data_.size(), at_);  // it may have been cut off meanwhile
  return true;
}

std::int64_t RingReader::wall_time(std::uint64_t ticks) const noexcept {
  const auto since = static_cast<double>(static_cast<std::int64_t>(ticks - open_.opened.ticks)) * rate_;
  constexpr double most = 1e18;  // thirty years
  if (!(since > -most && since < most)) return open_.opened.wall;
  std::int64_t wall = 0;
  return __builtin_add_overflow(open_.opened.wall, static_cast<std::int64_t>(since), &wall) ? open_.opened.wall : wall;
}

bool RingReader::next_entry(RingEntry::Kind& kind, std::span<const std::byte>& body) {
  while (end_ - at_ >= sizeof(RingEntry)) {
    RingEntry entry;
    std::memcpy(&entry, data_.data() + at_, sizeof(entry));
    if (entry.commit == 0) return false;
    const std::size_t size = entry.commit & 0xFFFFFFFFU;
    if (entry.commit >> 32U != (open_.generation & 0xFFFFFFFFU) || size < sizeof(RingEntry) || size % 8 != 0 ||
        size > end_ - at_) {
      ++damaged_;  // where the next one begins is not known
      return false;
    }
    const std::uint32_t begun = ring_sum_begin(open_.generation, at_, entry.kind);
    const std::byte* const bytes = data_.data() + at_;
    at_ += size;
    if (crc32c(bytes + sizeof(entry), size - sizeof(entry), begun) != entry.crc) {
      ++damaged_;
      continue;
    }
    kind = entry.kind;
    body = {bytes + sizeof(RingEntry), size - sizeof(RingEntry)};
    return true;
  }
  return false;
}

std::shared_ptr<const PropertyBlock> RingReader::take_properties(ByteCursor& in, const RingProperties& fields,
                                                                 std::size_t size) {
  const auto entries = in.take(fields.size);
  const auto trace = in.take(fields.trace_size);
  if (!in.ok() || (fields.trace_size != 0 && fields.trace_size != PropertyBlock::trace_size)) return nullptr;
  std::vector<std::byte> copy(entries.begin(), entries.end());
  auto block = std::make_shared<PropertyBlock>();
  if (!ValueChecker(*types_, size).check_properties(copy, *block)) return nullptr;
  if (const std::string_view ids(reinterpret_cast<const char*>(trace.data()), trace.size()); !ids.empty()) {
    if (!is_hex(ids)) return nullptr;
    block->set_trace(ids);
  }
  return block;
}

void RingReader::take_definition(RingEntry::Kind kind, std::span<const std::byte> body) {
  ByteCursor in(body);
  if (kind == RingEntry::Kind::type) {
    if (!types_->define(body)) ++damaged_;
  } else if (kind == RingEntry::Kind::context) {
    const auto fields = in.take<RingProperties>();
    if (auto context = in.ok() ? take_properties(in, fields, body.size()) : nullptr) {
      context_ = std::move(context);
      context_number_ = fields.number;
    } else {
      ++damaged_;
    }
  } else if (kind == RingEntry::Kind::site || kind == RingEntry::Kind::logger) {
    Numbered numbered;
    bool sound = false;
    if (kind == RingEntry::Kind::site) {
      const auto fields = in.take<RingSite>();
      numbered.number = fields.number;
      numbered.site = sites_.size();
      sound = in.ok() && fields.type_count <= most_types;
      if (sound) sites_.push_back({body, fields.is_dynamic != 0, nullptr, {}, false, {}});
    } else {
      const auto fields = in.take<RingProperties>();
      numbered.number = fields.number;
      if (in.ok()) numbered.logger = take_properties(in, fields, body.size());
      sound = numbered.logger != nullptr;
    }
    if (!sound || numbered.number == 0 || (!numbered_.empty() && numbered_.back().number >= numbered.number)) {
      ++damaged_;
    } else {
      numbered_.push_back(std::move(numbered));
    }
  } else {
    ++damaged_;
  }
}

const std::shared_ptr<const BoundTemplate>& RingReader::template_of(Site& site, std::string_view dynamic_text) {
  if (site.unusable || (site.bound && (!site.is_dynamic || site.bound_text == dynamic_text))) return site.bound;
  ByteCursor in(site.definition);
  const auto fields = in.take<RingSite>();
  std::vector<const ValueType*> types;
  for (std::uint32_t i = 0; i < fields.type_count && in.ok(); ++i) {
    types.push_back(types_->find(in.take<std::uint64_t>()));
    if (types.back() == nullptr) site.unusable = true;
  }
  types.push_back(nullptr);
  std::string_view text = in.take_text();
  const std::string_view expressions = in.take_text();
  const std::string_view file = in.take_text();
  const std::string_view function = in.take_text();
  site.unusable = site.unusable || !in.ok();
  if (site.unusable) return site.bound;
  if (site.is_dynamic) {
    text = dynamic_text;
    site.bound_text = dynamic_text;
  }
  if (!site.place) site.place = types_->place(file, function, fields.line);
  auto made = std::make_shared<BoundTemplate>();
  made->bind(text, expressions, types.data(), *site.place);
  site.bound = std::move(made);
  return site.bound;
}

bool RingReader::take_event(std::span<const std::byte> body, RecoveredEvent& event) {
  ByteCursor in(body);
  const auto fields = in.take<RingEvent>();
  const auto enrichments = in.take(fields.enrichment_bytes);
  const auto kept = in.take(fields.record_bytes);
  constexpr std::uint32_t flags = RecordHeader::level_mask | RecordHeader::has_exception | RecordHeader::truncated;
  if (!in.ok() || (fields.flags & ~(flags | RecordHeader::tsc_time)) != 0 ||
      (fields.flags & RecordHeader::level_mask) > static_cast<std::uint32_t>(Level::fatal))
    return false;
  const auto numbered = [&](std::uint32_t number) -> const Numbered* {
    const auto found = std::ranges::lower_bound(numbered_, number, {}, &Numbered::number);
    return found != numbered_.end() && found->number == number ? &*found : nullptr;
  };
  const Numbered* const place = numbered(fields.site);
  if (place == nullptr || place->logger != nullptr) return false;
  if (fields.logger == 0) {
    event.logger = nullptr;
  } else {
    const Numbered* const logger = numbered(fields.logger);
    if (logger == nullptr || logger->logger == nullptr) return false;
    share(event.logger, logger->logger);
  }
  if (fields.context != context_number_) return false;  // its own is damaged, or went with what was before it
  share(event.context, context_);

  Site& site = sites_[place->site];
  std::size_t skipped = 0;
  std::string_view dynamic_text;
  if (site.is_dynamic) {
    ByteCursor text(kept);
    dynamic_text = text.take_text();
    if (!text.ok()) return false;
    skipped = kept.size() - text.left();
  }
  share(event.bound, template_of(site, dynamic_text));
  if (!event.bound) return false;

  const std::size_t size = sizeof(RecordHeader) + kept.size() - skipped;
  event.record.assign((size + 7) / 8, 0);
  auto* const begin = reinterpret_cast<std::byte*>(event.record.data());
  const auto whole = static_cast<std::uint32_t>(event.record.size());
  if (whole >= 1U << (32U - RecordHeader::size_shift)) return false;
  RecordHeader header;
  header.size_and_flags = whole << RecordHeader::size_shift | (fields.flags & flags);
  header.time =
      (fields.flags & RecordHeader::tsc_time) != 0 ? wall_time(static_cast<std::uint64_t>(fields.time)) : fields.time;
  std::memcpy(begin, &header, sizeof(header));
  std::byte* at = begin + sizeof(header);
  std::byte* const end = begin + size;
  if (size != sizeof(header)) std::memcpy(at, kept.data() + skipped, kept.size() - skipped);

  ValueChecker checker(*types_, body.size() + 65536);
  if ((fields.flags & RecordHeader::has_exception) != 0) {
    if (end - at < 8) return false;
    const auto exception_size = load<std::uint32_t>(at);
    const auto count = load<std::uint32_t>(at + 4);
    if (exception_size < 8 || exception_size > static_cast<std::size_t>(end - at) || count == 0) return false;
    std::byte* const after = at + exception_size;
    at += 8;
    for (std::uint64_t i = 0; i < std::uint64_t{count} * 2; ++i) {
      if (at == after || (at = checker.check(error_type, at, after)) == nullptr) return false;
    }
    if (at != after) return false;
  }
  for (const ValueType* type : event.bound->captured_types()) {
    if ((at = checker.check(*type, at, end)) == nullptr) return false;
  }
  if (end - at >= 8) return false;  // no more than what rounds the record up
  if (enrichments.empty()) {
    share(event.extras, no_extras_);
  } else {
    std::vector<std::byte> copy(enrichments.begin(), enrichments.end());
    auto extras = std::make_shared<PropertyBlock>();
    if (!checker.check_properties(copy, *extras)) return false;
    mark_recovered(*extras);
    event.extras = std::move(extras);
  }
  if (event.bound->stringifies()) {
    const CaptureLimits limits{.event_bytes = static_cast<std::uint32_t>(most_stringified)};
    const RecordHeader* const text = stringify(event.header(), *event.bound, rewritten_, limits);
    event.record.resize(text->size() / 8);
    std::memcpy(event.record.data(), text, text->size());
  }
  event.number = fields.number;
  event.time = header.time;
  return true;
}

bool RingReader::next(RecoveredEvent& event) {
  if (status_ != Status::ok) return false;
  while (true) {
    RingEntry::Kind kind{};
    std::span<const std::byte> body;
    if (end_ == 0 || !next_entry(kind, body)) {
      end_ = at_ = 0;
      if (!next_block()) return false;
      continue;
    }
    if (kind != RingEntry::Kind::event) {
      take_definition(kind, body);
      continue;
    }
    if (body.size() >= sizeof(RingEvent)) {
      if (const auto number = load<std::uint64_t>(body.data()); number < least_) {
        if (number >= header_.acknowledged) ++damaged_;  // there was one with that number
        continue;
      }
    }
    if (!take_event(body, event)) {
      ++damaged_;
      continue;
    }
    least_ = event.number + 1;
    return true;
  }
}

}  // namespace cairn::detail
