#include "capture/property_block.hpp"

#include <cstring>
#include <functional>

#include "cairn/detail/utf8.hpp"
#include "text/text_escape.hpp"

namespace cairn::detail {

std::size_t PropertyBlock::open(std::string_view name, std::int64_t expiry, std::uint64_t id) {
  if (name.empty()) name = "_";
  OutputBuffer
      valid;  // names are keys of outputs: what is no UTF-8 is replaced here, so that two keys never become one later
  if (!format::is_valid_utf8(name)) {
    for (const char* at = name.data(); at != name.data() + name.size();) {
      const Utf8Step step = decode_utf8(at, name.data() + name.size());
      valid.append(step.valid ? std::string_view(at, step.size) : std::string_view("\xEF\xBF\xBD"));
      at += step.size;
    }
    name = valid.view();
  }
  const std::size_t position = bytes_.size();
  const PropertyEntry entry{0, static_cast<std::uint32_t>(name.size()), expiry, id};
  append(&entry, sizeof(entry));
  append(name.data(), name.size());
  return position;
}

void PropertyBlock::append(const void* bytes, std::size_t size) {
  const auto* from = static_cast<const std::byte*>(bytes);
  bytes_.insert(bytes_.end(), from, from + size);
}

void PropertyBlock::close(std::size_t position) noexcept {
  const auto size = static_cast<std::uint32_t>(bytes_.size() - position);
  std::memcpy(bytes_.data() + position, &size, sizeof(size));
  ++count_;
}

void PropertyBlock::add(std::string_view name, const Value& value, std::int64_t expiry, std::uint64_t id) {
  const ValueType* type = &value.type();
  const std::byte* data = value.data();
  const auto size = data == nullptr ? std::size_t{0} : static_cast<std::size_t>(skip_value(*type, data) - data);
  // A value of this block moves when the block grows: it is found again by its offset.
  const bool own =
      data != nullptr && std::less_equal<>()(bytes_.data(), data) && std::less<>()(data, bytes_.data() + bytes_.size());
  const std::ptrdiff_t offset = own ? data - bytes_.data() : 0;
  const std::size_t position = bytes_.size();
  try {
    static_cast<void>(open(name, expiry, id));
    append(&type, sizeof(type));
    const std::size_t at = bytes_.size();
    bytes_.resize(at + size);
    if (size != 0) std::memcpy(bytes_.data() + at, own ? bytes_.data() + offset : data, size);
  } catch (...) {
    bytes_.resize(position);  // half an entry would make the block unreadable
    throw;
  }
  close(position);
}

std::size_t PropertyBlock::replace(std::string_view name, const Value& value, std::uint64_t id) {
  const std::size_t position = bytes_.size();
  add(name, value, INT64_MAX, id);
  std::size_t added = position;
  const std::string_view stored = read(added).property.name;  // as open() wrote it
  for (std::size_t at = 0; at < position;) {
    std::size_t next = at;
    if (read(next).property.name == stored) {
      erase(at, next);
      return position - (next - at);  // there was one at most
    }
    at = next;
  }
  return position;
}

void PropertyBlock::replace_within(std::size_t most, std::string_view name, const Value& value, bool cut) {
  const std::size_t position = replace(name, value);
  cut_ = cut_ || cut;
  if (bytes_.size() <= most) return;
  erase(position, bytes_.size());
  cut_ = true;
}

void PropertyBlock::erase(std::size_t from, std::size_t to) noexcept {
  bytes_.erase(bytes_.begin() + static_cast<std::ptrdiff_t>(from), bytes_.begin() + static_cast<std::ptrdiff_t>(to));
  --count_;
}

/// What an entry says its size is, if it can be true; else 0.
std::size_t PropertyBlock::entry_size(std::size_t at) const noexcept {
  if (bytes_.size() - at < sizeof(PropertyEntry)) return 0;
  const auto entry = load<PropertyEntry>(bytes_.data() + at);
  const std::size_t least = sizeof(PropertyEntry) + std::size_t{entry.name_size} + sizeof(const ValueType*);
  return entry.size >= least && entry.size <= bytes_.size() - at ? entry.size : 0;
}

PropertyAt PropertyBlock::read(std::size_t& at) const noexcept {
  PropertyAt found;
  const std::size_t size = entry_size(at);
  if (size == 0) [[unlikely]] {  // half an entry: whatever comes after it, nobody goes round for ever
    at = bytes_.size();
    found.entry.expiry = INT64_MIN;
    return found;
  }
  const std::byte* from = bytes_.data() + at;
  found.entry = load<PropertyEntry>(from);
  from += sizeof(PropertyEntry);
  found.property.name = {reinterpret_cast<const char*>(from), found.entry.name_size};
  found.property.value = Value(dynamic_type, from + found.entry.name_size);
  at += size;
  return found;
}

void PropertyBlock::remove_ids(std::uint64_t first, std::uint64_t last) noexcept {
  for (std::size_t at = 0; at < bytes_.size();) {
    const auto entry = load<PropertyEntry>(bytes_.data() + at);
    if (entry.id >= first && entry.id <= last) {
      erase(at, at + entry.size);
    } else {
      at += entry.size;
    }
  }
  std::erase_if(traces_, [&](const Trace& trace) { return trace.id >= first && trace.id <= last; });
}

void PropertyBlock::remove_name(std::string_view name) noexcept {
  for (std::size_t at = 0; at < bytes_.size();) {
    std::size_t next = at;
    if (read(next).property.name == name) {
      erase(at, next);
    } else {
      at = next;
    }
  }
}

void PropertyBlock::remove_expired(std::int64_t time) noexcept {
  for (std::size_t at = 0; at < bytes_.size();) {
    const auto entry = load<PropertyEntry>(bytes_.data() + at);
    if (!entry.in_force(time)) {
      erase(at, at + entry.size);
    } else {
      at += entry.size;
    }
  }
}

void PropertyBlock::forget_ids() noexcept {
  for (std::size_t at = 0; at < bytes_.size();) {
    auto entry = load<PropertyEntry>(bytes_.data() + at);
    entry.id = 0;
    std::memcpy(bytes_.data() + at, &entry, sizeof(entry));
    at += entry.size;
  }
  for (Trace& trace : traces_) trace.id = 0;
}

std::size_t PropertyBlock::count_at(std::int64_t time) const noexcept {
  std::size_t count = 0;
  for (std::size_t at = 0; at < bytes_.size();) {
    const PropertyAt here = read(at);
    if (here.entry.in_force(time) && !has_after(at, here.property.name, time)) ++count;
  }
  return count;
}

std::size_t PropertyBlock::append_missing(const PropertyBlock& other) {
  std::size_t known = 0;
  for (std::size_t at = 0; at < other.size_bytes();) {
    const PropertyAt here = other.read(at);
    if (has_after(0, here.property.name, INT64_MIN)) {
      ++known;
    } else {
      add(here.property.name, here.property.value, here.entry.expiry);
    }
  }
  return known;
}

bool PropertyBlock::has_after(std::size_t at, std::string_view name, std::int64_t time) const noexcept {
  while (at < bytes_.size()) {
    const PropertyAt here = read(at);
    if (here.entry.in_force(time) && here.property.name == name) return true;
  }
  return false;
}

bool PropertyBlock::find(std::string_view name, std::int64_t time, Value& value) const noexcept {
  bool found = false;
  for (std::size_t at = 0; at < bytes_.size();) {
    const PropertyAt here = read(at);
    if (here.entry.in_force(time) && here.property.name == name) {
      value = here.property.value;
      found = true;
    }
  }
  return found;
}

void PropertyBlock::assign(const std::byte* bytes, std::size_t size, const char* trace) {
  bytes_.assign(bytes, bytes + size);
  cut_ = false;
  count_ = 0;
  for (std::size_t at = 0; at < size;) {
    const std::size_t entry = entry_size(at);
    if (entry == 0) [[unlikely]] {
      bytes_.resize(at);
      cut_ = true;
      break;
    }
    at += entry;
    ++count_;
  }
  set_trace(trace != nullptr ? std::string_view(trace, trace_size) : std::string_view());
}

void PropertyBlock::set_trace(std::string_view ids) {
  traces_.clear();
  if (!ids.empty()) push_trace(ids, 0);
}

void PropertyBlock::push_trace(std::string_view ids, std::uint64_t id) {
  if (ids.size() != trace_size) return;
  Trace trace;
  std::memcpy(trace.ids, ids.data(), trace_size);
  trace.id = id;
  traces_.push_back(trace);
}

}  // namespace cairn::detail
