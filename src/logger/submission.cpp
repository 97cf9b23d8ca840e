// From a call to its record, and from the record through the pipeline.
#include "cairn/detail/submit.hpp"

#include <cstddef>
#include <exception>

#include "cairn/detail/critical_section.hpp"
#include "capture/exception_record.hpp"
#include "capture/site_table.hpp"
#include "capture/stringify.hpp"
#include "capture/thread_state.hpp"
#include "dispatch/dispatcher.hpp"
#include "logger/logger_state.hpp"
#include "pipeline/active_pipeline.hpp"

namespace cairn::detail {

namespace {

CaptureBuffer no_buffer;  // what a refused submission's writer refers to; never written

constexpr CaptureLimits default_limits;

const LoggerState& full(const LoggerCore& logger) noexcept { return static_cast<const LoggerState&>(logger); }

/// A call has begun to write into the thread's window and not ended: this one interrupts it.
bool interrupts_a_call() noexcept {
  return write_window.cursor != nullptr && write_window.root_key == WriteWindow::nobody;
}

/// A buffer of the thread for this call, or null: refused and counted.
CallSlot* acquire(const LoggerCore& logger) noexcept {
  Root* root = full(logger).root;
  if (root == nullptr) {
    silent_calls().fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  if (root->closed()) {
    root->refuse(Refusal::after_shutdown);
    return nullptr;
  }
  if (in_critical_section()) {
    root->refuse(Refusal::reentrant);
    return nullptr;
  }
  ThreadState* thread = thread_state();
  if (thread == nullptr) {
    root->refuse(Refusal::oom);
    return nullptr;
  }
  if (thread->inside_of != nullptr && ActivePipeline::contains(root->pipeline(), *thread)) {
    root->refuse(Refusal::reentrant);
    return nullptr;
  }
  // A signal handler that comes while the thread is at work on its lane. Refused here, before anything is captured: a
  // buffer that has to be made would take memory, which a handler must not.
  if (root->lanes() && (thread->in_slow_path || interrupts_a_call())) {
    root->refuse(Refusal::reentrant);
    return nullptr;
  }
  for (CallSlot& slot : thread->slots) {
    if (slot.busy) continue;
    slot.busy = true;
    std::atomic_signal_fence(std::memory_order_seq_cst);  // from here on a signal handler's call takes another
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

/// The logger's, or what the process's memory budget leaves of them.
const CaptureLimits& limits_of(void* slot, const LoggerCore& logger) noexcept {
  if (slot == nullptr) return default_limits;
  const CaptureLimits& own = full(logger).root->limits();
  const std::uint32_t most = caller_hints.most_event_bytes.load(std::memory_order_relaxed);
  if (own.event_bytes <= most) [[likely]]
    return own;
  CaptureLimits& limits = static_cast<CallSlot*>(slot)->limits;
  limits = own;
  limits.event_bytes = most;
  return limits;
}

/// A thread keeps the buffer of its calls, but not one that a large event made this large.
constexpr std::size_t most_kept = 256 << 10;

bool is_there(const ThrownException& thrown) noexcept {
  return thrown.reference != nullptr || (thrown.pointer != nullptr && *thrown.pointer != nullptr);
}

// Headers are written member by member: one made elsewhere and copied over would be read before its parts are written.
void put_function_header(CaptureWriter& out, const std::source_location& location, const ValueType* const* types) {
  static_assert(offsetof(FunctionFormHeader, location) == 0 && offsetof(FunctionFormHeader, types) == sizeof(location));
  out.put(location);
  out.put(types);
}

bool has_room(const WriteWindow& window, std::size_t bytes) noexcept {
  return reinterpret_cast<std::uintptr_t>(LaneCursor::position(window.cursor_now)) + bytes <=
         reinterpret_cast<std::uintptr_t>(window.end);
}

enum class Renewed { yes, had_room, no };

/// Where the window is that logger's, and was full, or the context has changed. Touches little; `no`: it takes more
/// than that.
Renewed renew_window(const LoggerCore& core, std::size_t bytes) noexcept {
  WriteWindow& window = write_window;
  const auto* const cursor = std::atomic_ref(window.cursor).load(std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (window.root_key != core.root_key || !window.shut(cursor)) return Renewed::no;
  auto* const lane = static_cast<ThreadLane*>(window.lane);
  if (window.end == nullptr) {
    const ThreadState* const thread = current_thread_state;
    if (thread != nullptr && thread->inside_of == nullptr &&
        lane->change_context(core.root_key, bytes, thread->context_version))
      return Renewed::yes;
    window.root_key = core.root_key;
    return Renewed::no;
  }
  lane->prefetch_next_block();
  const bool had_room = has_room(window, bytes);
  if (!had_room && lane->next_block(core.root_key, bytes)) return Renewed::yes;
  window.root_key = core.root_key;
  return had_room ? Renewed::had_room : Renewed::no;
}

/// The thread writes in one lane at a time; what it wrote in another one so far is settled.
void leave_other_window(ThreadState& thread, const LaneRoot& root) noexcept {
  if (write_window.cursor == nullptr || write_window.root_key == root.key) return;
  for (ThreadAttachment* at = thread.attachments; at != nullptr; at = at->next_of_thread)
    static_cast<ThreadLane*>(at)->close_window();
}

/// The thread is at work on its lanes: a signal handler that comes between leaves them alone.
class SlowPath {
 public:
  explicit SlowPath(ThreadState& thread) noexcept : thread_(thread) {
    thread_.in_slow_path = true;
    std::atomic_signal_fence(std::memory_order_seq_cst);  // what is read from here on stays as it is
  }
  SlowPath(const SlowPath&) = delete;
  SlowPath& operator=(const SlowPath&) = delete;
  ~SlowPath() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    thread_.in_slow_path = false;
  }

 private:
  ThreadState& thread_;
};

/// The context in force, for an event in whose call it may change: from here on a change leaves it as it is.
ContextInForce hold_context(CallSlot& slot) noexcept {
  const ThreadState& thread = *slot.thread;
  for (;;) {
    const std::uint64_t version = thread.context_version;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    slot.context = thread.context;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (thread.context_version == version) return {*slot.context, version};  // else a signal handler's came between
  }
}

/// What a SlowPath is around.
void append_to_lane(Root& root, CallSlot& slot, const ContextInForce& context, RecordHeader& record) {
  ThreadState& thread = *slot.thread;
  leave_other_window(thread, *root.lanes());
  RoomWait wait(*root.lanes(), !thread.of_cairn);
  ThreadLane* lane = Dispatcher::instance().lane_for(thread, root.lanes(), wait);
  const auto refusal = root.lanes()->blocking.empty() ? ThreadLane::Opened::no_memory : ThreadLane::Opened::no_credit;
  const auto opened = lane != nullptr ? lane->append(context, record, &slot.extras, wait) : refusal;
  if (opened == ThreadLane::Opened::no_credit)  // a shutdown lets those go that wait
    root.refuse(root.closed() ? Refusal::after_shutdown : Refusal::block_timeout);
  if (opened == ThreadLane::Opened::no_memory) root.pipeline().note_no_memory();
}

}  // namespace

void Submission::begin(std::uint32_t flags, const void* site, const ThrownException& thrown) {
  if (is_there(thrown)) flags |= RecordHeader::has_exception;
  Root& root = *full(logger_).root;
  std::int64_t time = 0;
  if (root.lanes() && root.lanes()->ticks) {
    flags |= RecordHeader::tsc_time;
    time = static_cast<std::int64_t>(TscClock::ticks());
  } else {
    time = root.pipeline().clock().now().time_since_epoch().count();
  }
  static_assert(offsetof(RecordHeader, logger) == 4 && offsetof(RecordHeader, time) == 8 &&
                offsetof(RecordHeader, site) == 16);
  writer_.put(flags);
  writer_.put(logger_.id);
  writer_.put(time);
  writer_.put(site);
}

Submission::Submission(const LoggerCore& logger, const CallSite& site, ThrownException thrown) noexcept
    : logger_(logger),
      slot_(acquire(logger)),
      writer_(buffer_of(slot_), limits_of(slot_, logger), site.structure_mask()) {
  if (slot_ == nullptr) return;
  try {
    begin(static_cast<std::uint32_t>(site.level), &site, thrown);
    if (is_there(thrown)) write_exception(writer_, thrown);
  } catch (...) {
    fail();
  }
}

Submission::Submission(const LoggerCore& logger, Level level, const char* text, const std::source_location& location,
                       const ValueType* const* types, std::uint64_t structure_mask, ThrownException thrown) noexcept
    : logger_(logger), slot_(acquire(logger)), writer_(buffer_of(slot_), limits_of(slot_, logger), structure_mask) {
  if (slot_ == nullptr) return;
  try {
    begin(static_cast<std::uint32_t>(level) | RecordHeader::function_form, text, thrown);
    put_function_header(writer_, location, types);
    if (is_there(thrown)) write_exception(writer_, thrown);
  } catch (...) {
    fail();
  }
}

Submission::Submission(const LoggerCore& logger, Level level, std::string_view text,
                       const std::source_location& location, const ValueType* const* types,
                       std::uint64_t structure_mask, ThrownException thrown) noexcept
    : logger_(logger), slot_(acquire(logger)), writer_(buffer_of(slot_), limits_of(slot_, logger), structure_mask) {
  if (slot_ == nullptr) return;
  try {
    begin(static_cast<std::uint32_t>(level) | RecordHeader::dynamic_form, nullptr, thrown);
    put_function_header(writer_, location, types);
    writer_.put_string(text);
    if (is_there(thrown)) write_exception(writer_, thrown);
  } catch (...) {
    fail();
  }
}

Submission::~Submission() {
  if (slot_ == nullptr) return;
  auto& slot = *static_cast<CallSlot*>(slot_);
  if (slot.record.capacity > most_kept) [[unlikely]]
    slot.record.free();
  std::atomic_signal_fence(std::memory_order_seq_cst);  // until here
  slot.busy = false;
}

void Submission::fail() noexcept {
  full(logger_).root->refuse(Refusal::oom);
  if (slot_ != nullptr) static_cast<CallSlot*>(slot_)->busy = false;
  slot_ = nullptr;
}

void Submission::deliver() noexcept {
  auto& slot = *static_cast<CallSlot*>(slot_);
  const LoggerState& logger = full(logger_);
  Root& root = *logger.root;
  try {
    finish_record(writer_);
    if (root.lanes()) {
      deliver_to_lane(slot);
      return;
    }
    const auto* record = reinterpret_cast<const RecordHeader*>(writer_.data());
    std::shared_ptr<const BoundTemplate> dynamic;
    const BoundTemplate& bound = bound_template(*record, dynamic);
    if (bound.stringifies()) record = stringify(*record, bound, slot.rewritten, writer_.limits());

    const PropertyBlock& context = *slot.thread->context;
    slot.context = &context;
    const bool has_context = !context.empty() || !context.trace_id().empty();
    const LoggerParts& parts = *logger.parts;
    const Event event(*record, bound, has_context ? &context : nullptr,
                      parts.properties.empty() ? nullptr : &parts.properties, &slot.extras, root.limits().properties);
    const ActivePipeline active(root.pipeline(), slot.thread);
    root.pipeline().process(event, slot.extras, parts);
  } catch (...) {
    root.refuse(Refusal::oom);
  }
}

/// Copies the record into the thread's lane, with what enrichers add on this thread.
void Submission::deliver_to_lane(CallSlot& slot) {
  const LoggerState& logger = full(logger_);
  Root& root = *logger.root;
  ThreadState& thread = *slot.thread;
  auto& record = *reinterpret_cast<RecordHeader*>(writer_.data());
  if (!root.pipeline().enriches_at_capture(*logger.parts)) {
    const SlowPath here(thread);  // until then a signal handler may change the context
    return append_to_lane(root, slot, thread.context_in_force(), record);
  }
  const ContextInForce context = hold_context(slot);  // whatever enrichers make of the thread's
  {
    const std::int64_t time = record.time;  // what enrichers see is a time
    if (record.is(RecordHeader::tsc_time)) record.time = root.pipeline().clock().now().time_since_epoch().count();

    std::shared_ptr<const BoundTemplate> dynamic;
    const BoundTemplate& bound = bound_template(record, dynamic);
    const RecordHeader* seen = &record;
    if (bound.stringifies()) seen = stringify(record, bound, slot.rewritten, writer_.limits());
    const Event event(*seen, bound, &context.block, &logger.parts->properties, &slot.extras, root.limits().properties);
    const ActivePipeline active(root.pipeline(), &thread);
    root.pipeline().enrich_at_capture(event, slot.extras, *logger.parts);
    record.time = time;
    if (slot.extras.cut()) record.size_and_flags |= RecordHeader::truncated;
  }
  const SlowPath here(thread);
  append_to_lane(root, slot, context, record);
}

void finish_call(const LoggerCore& logger, const std::byte* record) noexcept {
  {
    ThreadState& thread = *current_thread_state;
    const SlowPath here(thread);
    const auto& whole = *reinterpret_cast<const RecordHeader*>(record);
    static_cast<ThreadLane*>(write_window.lane)->write_to_ring(thread.context_in_force(), whole, nullptr);
    write_window.claim_ahead(record, whole.size());
  }
  write_window.root_key = logger.root_key;
  // relaxed: as in write_flat()
  if (caller_hints.dispatcher_rests.load(std::memory_order_relaxed) != CallerHints::awake) wake_dispatcher();
}

bool prepare_window(const LoggerCore& core, std::size_t bytes) noexcept {
  if (in_critical_section() || interrupts_a_call()) return false;
  switch (renew_window(core, bytes)) {
    case Renewed::yes: return true;
    case Renewed::had_room: return false;
    case Renewed::no: break;
  }
  Root& root = *full(core).root;
  ThreadState* thread = thread_state();
  if (thread == nullptr || root.closed() || thread->in_slow_path) return false;
  if (thread->inside_of != nullptr && ActivePipeline::contains(root.pipeline(), *thread)) return false;
  const SlowPath here(*thread);
  try {
    leave_other_window(*thread, *root.lanes());
    RoomWait none(*root.lanes(), false);
    ThreadLane* lane = Dispatcher::instance().lane_for(*thread, root.lanes(), none);
    return lane != nullptr && bytes <= lane->most_record() &&
           lane->open_window(thread->context_in_force(), bytes) == ThreadLane::Opened::yes;
  } catch (...) {
    return false;
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
