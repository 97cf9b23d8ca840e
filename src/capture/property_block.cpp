#include "capture/property_block.hpp"

#include <cstring>

#include "cairn/detail/utf8.hpp"
#include "text/text_escape.hpp"

namespace cairn::detail {

std::size_t PropertyBlock::open(std::string_view name, std::int64_t expiry, std::uint64_t id) {
  if (name.empty()) name = "_";
  OutputBuffer valid;  // names are keys of outputs: what is no UTF-8 is replaced here, so that two keys never become one later
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
  const std::size_t position = open(name, expiry, id);
  const ValueType* type = &value.type();
  append(&type, sizeof(type));
  if (value.data() != nullptr) append(value.data(), static_cast<std::size_t>(skip_value(*type, value.data()) - value.data()));
  close(position);
}

PropertyAt PropertyBlock::read(std::size_t& at) const noexcept {
  PropertyAt found;
  const std::byte* from = bytes_.data() + at;
  found.entry = load<PropertyEntry>(from);
  from += sizeof(PropertyEntry);
  found.property.name = {reinterpret_cast<const char*>(from), found.entry.name_size};
  found.property.value = Value(dynamic_type, from + found.entry.name_size);
  at += found.entry.size;
  return found;
}

void PropertyBlock::remove_ids(std::uint64_t first, std::uint64_t last) noexcept {
  for (std::size_t at = 0; at < bytes_.size();) {
    const auto entry = load<PropertyEntry>(bytes_.data() + at);
    if (entry.id >= first && entry.id <= last) {
      bytes_.erase(bytes_.begin() + static_cast<std::ptrdiff_t>(at), bytes_.begin() + static_cast<std::ptrdiff_t>(at + entry.size));
      --count_;
    } else {
      at += entry.size;
    }
  }
}

void PropertyBlock::remove_name(std::string_view name) noexcept {
  for (std::size_t at = 0; at < bytes_.size();) {
    std::size_t next = at;
    if (read(next).property.name == name) {
      bytes_.erase(bytes_.begin() + static_cast<std::ptrdiff_t>(at), bytes_.begin() + static_cast<std::ptrdiff_t>(next));
      --count_;
    } else {
      at = next;
    }
  }
}

void PropertyBlock::append_missing(const PropertyBlock& other) {
  for (std::size_t at = 0; at < other.size_bytes();) {
    const PropertyAt here = other.read(at);
    if (!has_after(0, here.property.name, INT64_MIN)) add(here.property.name, here.property.value, here.entry.expiry);
  }
}

bool PropertyBlock::has_after(std::size_t at, std::string_view name, std::int64_t time) const noexcept {
  while (at < bytes_.size()) {
    const PropertyAt here = read(at);
    if (here.entry.expiry > time && here.property.name == name) return true;
  }
  return false;
}

bool PropertyBlock::find(std::string_view name, std::int64_t time, Value& value) const noexcept {
  bool found = false;
  for (std::size_t at = 0; at < bytes_.size();) {
    const PropertyAt here = read(at);
    if (here.entry.expiry > time && here.property.name == name) {
      value = here.property.value;
      found = true;
    }
  }
  return found;
}

void PropertyBlock::set_trace(std::string_view ids) noexcept {
  trace_size_ = ids.size() == sizeof(trace_) ? sizeof(trace_) : 0;
  if (trace_size_ != 0) std::memcpy(trace_, ids.data(), sizeof(trace_));
}

}  // namespace cairn::detail
