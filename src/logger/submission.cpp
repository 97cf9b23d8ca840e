// From a call to its record, and from the record through the pipeline.
#include "cairn/detail/submit.hpp"

#include <exception>

#include "capture/exception_record.hpp"
#include "capture/site_table.hpp"
#include "capture/stringify.hpp"
#include "capture/thread_state.hpp"
#include "logger/root.hpp"

namespace cairn::detail {

namespace {

CaptureBuffer no_buffer;  // what a refused submission's writer refers to; never written

constexpr CaptureLimits default_limits;

/// A buffer of the thread for this call, or null: refused and counted.
CallSlot* acquire(const LoggerState& logger) noexcept {
  Root* root = logger.root;
  if (root == nullptr) {
    silent_calls().fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  if (root->closed()) {
    root->refuse(Refusal::after_shutdown);
    return nullptr;
  }
  ThreadState* thread = thread_state();
  if (thread == nullptr) {
    root->refuse(Refusal::oom);
    return nullptr;
  }
  if (thread->active_count != 0 && ActiveRoot::contains(*root)) {
    root->refuse(Refusal::reentrant);
    return nullptr;
  }
  for (CallSlot& slot : thread->slots) {
    if (slot.busy) continue;
    slot.busy = true;
    slot.thread = thread;
    if (slot.extras.size_bytes() != 0) slot.extras.clear();
    return &slot;
  }
  root->refuse(Refusal::reentrant);
  return nullptr;
}

CaptureBuffer& buffer_of(void* slot) noexcept {
  return slot != nullptr ? static_cast<CallSlot*>(slot)->record : no_buffer;
}

const CaptureLimits& limits_of(const LoggerState& logger) noexcept {
  return logger.root != nullptr ? logger.root->limits() : default_limits;
}

}  // namespace

void Submission::begin(std::uint32_t flags, const void* site, const ThrownException& thrown) {
  const bool has_exception = thrown.reference != nullptr || (thrown.pointer != nullptr && *thrown.pointer != nullptr);
  if (has_exception) flags |= RecordHeader::has_exception;
  RecordHeader header;
  header.size_and_flags = flags;
  header.time = logger_.root->pipeline().clock().now().time_since_epoch().count();
  header.site = site;
  writer_.put(header);
}

Submission::Submission(const LoggerState& logger, const CallSite& site, std::uint64_t structure_mask,
                       ThrownException thrown) noexcept
    : logger_(logger), slot_(acquire(logger)), writer_(buffer_of(slot_), limits_of(logger), structure_mask) {
  if (slot_ == nullptr) return;
  try {
    begin(static_cast<std::uint32_t>(site.level), &site, thrown);
    write_exception(writer_, thrown);
  } catch (...) {
    fail();
  }
}

Submission::Submission(const LoggerState& logger, Level level, const char* text, const std::source_location& location,
                       const ValueType* const* types, std::uint64_t structure_mask, ThrownException thrown) noexcept
    : logger_(logger), slot_(acquire(logger)), writer_(buffer_of(slot_), limits_of(logger), structure_mask) {
  if (slot_ == nullptr) return;
  try {
    begin(static_cast<std::uint32_t>(level) | RecordHeader::function_form, text, thrown);
    writer_.put(FunctionFormHeader{location, types});
    write_exception(writer_, thrown);
  } catch (...) {
    fail();
  }
}

Submission::Submission(const LoggerState& logger, Level level, std::string_view text,
                       const std::source_location& location, const ValueType* const* types,
                       std::uint64_t structure_mask, ThrownException thrown) noexcept
    : logger_(logger), slot_(acquire(logger)), writer_(buffer_of(slot_), limits_of(logger), structure_mask) {
  if (slot_ == nullptr) return;
  try {
    begin(static_cast<std::uint32_t>(level) | RecordHeader::dynamic_form, nullptr, thrown);
    writer_.put(FunctionFormHeader{location, types});
    writer_.put_string(text);
    write_exception(writer_, thrown);
  } catch (...) {
    fail();
  }
}

Submission::~Submission() {
  if (slot_ != nullptr) static_cast<CallSlot*>(slot_)->busy = false;
}

void Submission::fail() noexcept {
  logger_.root->refuse(Refusal::oom);
  if (slot_ != nullptr) static_cast<CallSlot*>(slot_)->busy = false;
  slot_ = nullptr;
}

void Submission::deliver() noexcept {
  auto& slot = *static_cast<CallSlot*>(slot_);
  Pipeline& pipeline = logger_.root->pipeline();
  try {
    finish_record(writer_);
    const auto* record = reinterpret_cast<const RecordHeader*>(writer_.data());
    const BoundTemplate* bound = nullptr;
    std::shared_ptr<const BoundTemplate> dynamic;
    if (record->is(RecordHeader::function_form)) {
      bound =
          &bound_site(static_cast<const char*>(record->site), *reinterpret_cast<const FunctionFormHeader*>(record + 1));
    } else if (record->is(RecordHeader::dynamic_form)) {
      const auto* after = reinterpret_cast<const std::byte*>(record + 1);
      const Value text(string_type, after + sizeof(FunctionFormHeader));
      dynamic = bound_dynamic(*text.as_string(), *reinterpret_cast<const FunctionFormHeader*>(after));
      bound = dynamic.get();
    } else {
      bound = &bound_site(*static_cast<const CallSite*>(record->site));
    }
    if (bound->stringifies()) record = stringify(*record, *bound, slot.rewritten, limits_of(logger_));

    ThreadState& thread = *slot.thread;
    const PropertyBlock& context = thread.context;
    const bool has_context = !context.empty() || !context.trace_id().empty();
    const Event event(*record, *bound, has_context ? &context : nullptr,
                      logger_.properties.empty() ? nullptr : &logger_.properties, &slot.extras,
                      limits_of(logger_).properties);
    const ActiveRoot active(*logger_.root, &thread);
    pipeline.process(event, slot.extras, logger_.enrichers, logger_.filters);
  } catch (...) {
    logger_.root->refuse(Refusal::oom);
  }
}

}  // namespace cairn::detail

std::uint64_t cairn::Logger::dynamic_structure_mask(std::string_view text) noexcept {
  struct Mask {
    std::uint64_t bits = 0;
    unsigned holes = 0;
    std::uint64_t positional_bits = 0;
    bool any_named = false;
    void text(std::string_view) {}
    void malformed(std::string_view, detail::Malformed) {}
    void hole(const detail::Hole& h) {
      any_named = any_named || !h.positional;
      if (h.capture == '@' || h.capture == '\0') {
        // Without an operator a dynamic template takes the structure where there is no string form; only a type with
        // both asks.
        if (h.capture == '@' && holes < 64) bits |= std::uint64_t{1} << holes;
        if (h.capture == '@' && h.index < 64) positional_bits |= std::uint64_t{1} << h.index;
      }
      ++holes;
    }
  } mask;
  detail::parse_template(text, mask);
  return mask.any_named ? mask.bits : mask.positional_bits;
}
