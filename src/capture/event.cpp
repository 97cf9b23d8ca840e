#include "cairn/event.hpp"

#include <algorithm>
#include <array>

#include "cairn/detail/record.hpp"
#include "capture/event_parts.hpp"
#include "capture/exception_record.hpp"
#include "capture/property_block.hpp"
#include "capture/stringify.hpp"
#include "capture/suppressed_count.hpp"
#include "template/bound_template.hpp"

namespace cairn {

using detail::EventParts;
using detail::load;
using detail::RecordHeader;

namespace {

std::string_view string_at(const std::byte* at) noexcept {
  return {reinterpret_cast<const char*>(at + 4), load<std::uint32_t>(at)};
}

}  // namespace

// ---- the exception

std::uint32_t ExceptionView::depth() const noexcept { return data_ == nullptr ? 0 : load<std::uint32_t>(data_ + 4); }

std::string_view ExceptionView::part(std::uint32_t index) const noexcept {
  const std::byte* at = data_ + 8;
  for (std::uint32_t i = 0; i < index; ++i) at = detail::skip_value(detail::string_type, at);
  return string_at(at);
}

std::string_view ExceptionView::type(std::uint32_t index) const noexcept {
  return index < depth() ? part(index * 2) : "";
}
std::string_view ExceptionView::message(std::uint32_t index) const noexcept {
  return index < depth() ? part(index * 2 + 1) : "";
}

void ExceptionView::text_to(OutputBuffer& out) const {
  for (std::uint32_t i = 0; i < depth(); ++i) {
    if (i > 0) out.append("\n ---> ");
    out.append(type(i));
    if (!message(i).empty()) {
      out.append(": ");
      out.append(message(i));
    }
  }
}

std::string ExceptionView::to_text() const {
  OutputBuffer out;
  text_to(out);
  return std::string(out.view());
}

// ---- the event

Timestamp Event::timestamp() const noexcept { return Timestamp(std::chrono::nanoseconds(record_->time)); }
Level Event::level() const noexcept { return record_->level(); }
std::string_view Event::message_template() const noexcept { return bound_->text(); }
std::uint32_t Event::event_id() const noexcept { return bound_->event_id(); }
std::string_view Event::file() const noexcept { return bound_->place().file; }
std::string_view Event::function() const noexcept { return bound_->place().function; }
std::uint32_t Event::line() const noexcept { return bound_->place().line; }
bool Event::truncated() const noexcept {
  const auto cut = [](const detail::PropertyBlock* block) { return block != nullptr && block->cut(); };
  return record_->is(detail::RecordHeader::truncated) || cut(logger_) || cut(extras_) || omitted_properties() != 0;
}

ExceptionView Event::exception() const noexcept {
  return record_->is(RecordHeader::has_exception) ? ExceptionView(EventParts::after_headers(*record_))
                                                  : ExceptionView();
}

std::string_view Event::trace_id() const noexcept {
  return context_ != nullptr ? context_->trace_id() : std::string_view();
}
std::string_view Event::span_id() const noexcept {
  return context_ != nullptr ? context_->span_id() : std::string_view();
}

std::string_view Event::source() const noexcept {
  Value value;
  for (const detail::PropertyBlock* block : {logger_, extras_}) {
    if (block != nullptr && block->find("SourceContext", record_->time, value))
      return value.as_string().value_or(std::string_view());
  }
  return {};
}

Value Event::argument(std::size_t index) const noexcept {
  const std::byte* at = EventParts::arguments(*this);
  for (std::size_t i = 0; i < index; ++i) at = detail::skip_value(*bound_->types()[i], at);
  return {*bound_->types()[index], at};
}

void Event::arguments_into(Value* values) const noexcept {
  const std::byte* at = EventParts::arguments(*this);
  for (const detail::ValueType* type : bound_->types()) {
    *values++ = Value(*type, at);
    at = detail::skip_value(*type, at);
  }
}

Event Event::with_enrichments(const detail::PropertyBlock& block) const noexcept {
  Event copy = *this;
  copy.extras_ = &block;
  return copy;
}

void Event::copy_enrichments(detail::PropertyBlock& block) const {
  if (extras_ != nullptr) block = *extras_;
}

PropertyCounts Event::property_counts() const noexcept {
  Event whole = *this;
  whole.max_properties_ = UINT32_MAX;
  PropertyCounts counts{bound_->properties().size(), bound_->duplicates()};
  Properties::Iterator at = whole.ambient_properties().begin();
  for (; at != std::default_sentinel; ++at) ++counts.distinct;
  counts.duplicates += at.duplicates();
  return counts;
}

std::uint64_t Event::omitted_properties() const noexcept {
  std::size_t most = bound_->properties().size() + (exception() ? 2U : 0U);
  for (const detail::PropertyBlock* block : {context_, logger_, extras_}) most += block != nullptr ? block->count() : 0;
  if (most <= max_properties_) return 0;
  std::uint64_t given = 0;
  for (Properties::Iterator at = properties().begin(); at != std::default_sentinel; ++at) ++given;
  return property_counts().distinct - given;
}

Event::Properties Event::properties() const noexcept { return Properties(*this); }

Event::Properties Event::ambient_properties() const noexcept { return Properties(*this, false); }

std::optional<Value> Event::property(std::string_view name) const noexcept {
  if (const int index = bound_->find(name); index >= 0) {
    return argument(bound_->properties()[static_cast<std::size_t>(index)].argument);
  }
  Value value;
  for (const detail::PropertyBlock* block : {context_, logger_, extras_}) {
    if (block != nullptr && block->find(name, record_->time, value)) return value;
  }
  for (const Property& property : properties()) {
    if (property.name == name) return property.value;  // of the exception
  }
  return std::nullopt;
}

std::string Event::message(Rendering rendering) const {
  OutputBuffer out;
  render_to(out, rendering);
  return std::string(out.view());
}

// ---- its properties, each name once

Event::Properties::Iterator::Iterator(const Event& event, bool template_ones) noexcept : event_(&event) {
  if (!template_ones) {
    if (!EventParts::has_ambient_properties(event)) {
      event_ = nullptr;  // the usual case
      return;
    }
    group_ = 1;
    given_ = event.bound_->properties().size();
  }
  advance();
}

const detail::PropertyBlock* Event::Properties::Iterator::block() const noexcept {
  return group_ == 1 ? event_->context_ : group_ == 2 ? event_->logger_ : event_->extras_;
}

bool Event::Properties::Iterator::shadowed(std::string_view name) const noexcept {
  if (event_->bound_->find(name) >= 0) return true;
  Value ignored;
  const std::int64_t time = event_->record_->time;
  if (group_ > 1 && event_->context_ != nullptr && event_->context_->find(name, time, ignored)) return true;
  if (group_ > 2 && event_->logger_ != nullptr && event_->logger_->find(name, time, ignored)) return true;
  return group_ > 3 && event_->extras_ != nullptr && event_->extras_->find(name, time, ignored);
}

/// Beside the limit, if it has not been given yet.
bool Event::Properties::Iterator::give_suppressed_count() noexcept {
  if (gave_suppressed_count_ || event_->extras_ == nullptr) return false;
  gave_suppressed_count_ = true;
  group_ = 3;
  return detail::find_suppressed_count(*event_->extras_, item_) && !shadowed(item_.name);
}

void Event::Properties::Iterator::advance() noexcept {
  if (++given_ > event_->max_properties_) {
    if (!give_suppressed_count()) event_ = nullptr;
    return;
  }
  if (group_ == 0) {
    const auto& properties = event_->bound_->properties();
    if (at_ < properties.size()) {
      const detail::BoundProperty& property = properties[at_++];
      const auto& types = event_->bound_->types();
      if (data_ == nullptr || property.argument < argument_) {
        data_ = EventParts::arguments(*event_);
        argument_ = 0;
      }
      for (; argument_ < property.argument; ++argument_) data_ = detail::skip_value(*types[argument_], data_);
      item_ = {property.name, Value(*types[argument_], data_)};
      return;
    }
    group_ = 1;
    at_ = 0;
  }
  for (; group_ <= 3; ++group_, at_ = 0) {
    const detail::PropertyBlock* properties = block();
    if (properties == nullptr) continue;
    while (at_ < properties->size_bytes()) {
      const detail::PropertyAt here = properties->read(at_);
      const std::int64_t time = event_->record_->time;
      if (!here.entry.in_force(time) || properties->has_after(at_, here.property.name, time)) continue;
      if (shadowed(here.property.name)) {
        ++duplicates_;
        continue;
      }
      item_ = here.property;
      if (detail::is_suppressed_count(here.entry)) [[unlikely]] {
        gave_suppressed_count_ = true;
        --given_;
      }
      return;
    }
  }
  // 4: the exception's type, then its message; they stand in the record as strings
  if (const ExceptionView exception = event_->exception(); exception) {
    const std::byte* at = EventParts::after_headers(*event_->record_) + 8;
    while (at_ < 2) {
      const std::string_view name = at_ == 0 ? "ExceptionType" : "ExceptionMessage";
      const Value value(detail::string_type, at_ == 0 ? at : detail::skip_value(detail::string_type, at));
      ++at_;
      if (shadowed(name)) {
        ++duplicates_;
        continue;
      }
      item_ = {name, value};
      return;
    }
  }
  event_ = nullptr;
}

// ---- an event that owns its bytes

struct OwnedEvent::Parts {
  std::vector<std::uint64_t> record;  // aligned as the lane's are
  detail::BoundTemplate bound;
  std::string file;
  detail::PropertyBlock context;
  detail::PropertyBlock logger;
  detail::PropertyBlock extras;
  std::optional<Event> event;
};

OwnedEvent::OwnedEvent(const Event& event) {
  auto parts = std::make_shared<Parts>();
  const std::size_t size = event.record_->size();
  parts->record.resize((size + 7) / 8);
  std::memcpy(parts->record.data(), event.record_, size);
  std::vector<const detail::ValueType*> types = event.bound_->types();
  types.push_back(nullptr);
  parts->bound.bind(event.bound_->text(), {}, types.data(), event.bound_->place());
  if (event.context_ != nullptr) parts->context = *event.context_;
  if (event.logger_ != nullptr) parts->logger = *event.logger_;
  if (event.extras_ != nullptr) parts->extras = *event.extras_;
  parts->event.emplace(*reinterpret_cast<const RecordHeader*>(parts->record.data()), parts->bound, &parts->context,
                       &parts->logger, &parts->extras, event.max_properties_);
  view_ = &*parts->event;
  parts_ = std::move(parts);
}

OwnedEvent::OwnedEvent(Timestamp time, Level level, std::string_view message_template, std::span<const Value> values) {
  constexpr CaptureLimits limits{.event_bytes = 4U << 20U};
  detail::CaptureBuffer buffer;
  detail::CaptureWriter writer(buffer, limits);
  RecordHeader header;
  header.size_and_flags = static_cast<std::uint32_t>(std::min(level, Level::fatal));
  header.time = time.time_since_epoch().count();
  writer.put(header);
  std::vector<const detail::ValueType*> types;
  for (const Value& value : values) {
    const std::size_t size =
        value.data() == nullptr
            ? 0
            : static_cast<std::size_t>(detail::skip_value(value.type(), value.data()) - value.data());
    if (size <= writer.room()) {
      types.push_back(&value.type());
      writer.put_bytes(value.data(), size);
      continue;
    }
    writer.count_cut();
    if (writer.room() >= 64) {
      types.push_back(&detail::string_type);
      writer.put_string("…(+" + std::to_string(size) + " bytes)");
    } else {
      types.push_back(&detail::null_type);  // takes no room at all
    }
  }
  types.push_back(nullptr);
  detail::finish_record(writer);

  auto parts = std::make_shared<Parts>();
  parts->bound.bind(message_template, {}, types.data(), detail::SourcePlace());
  const auto* record = reinterpret_cast<const RecordHeader*>(writer.data());
  detail::CaptureBuffer rewritten;
  if (parts->bound.stringifies()) record = detail::stringify(*record, parts->bound, rewritten, limits);
  parts->record.resize(record->size() / 8);
  std::memcpy(parts->record.data(), record, record->size());
  parts->event.emplace(*reinterpret_cast<const RecordHeader*>(parts->record.data()), parts->bound, nullptr, nullptr,
                       nullptr, UINT32_MAX);
  view_ = &*parts->event;
  parts_ = std::move(parts);
}

}  // namespace cairn
