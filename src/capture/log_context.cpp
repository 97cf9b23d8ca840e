// The calling thread's context: a block of properties and traces, and the contexts that snapshots' scopes have put
// aside.
#include "cairn/log_context.hpp"

#include <algorithm>
#include <cstring>

#include "cairn/detail/critical_section.hpp"
#include "capture/context_cuts.hpp"
#include "capture/thread_state.hpp"
#include "platform/fork_generation.hpp"

namespace cairn {

namespace {

using detail::PropertyBlock;
using detail::thread_state;
using detail::ThreadState;

constexpr std::size_t max_properties = 64;
constexpr std::size_t max_bytes = 4096;
constexpr std::string_view correlation_name = "CorrelationId";

/// The calling thread's context, to be read. A signal handler that comes between the steps finds none to read or to
/// change (false), and what it logs meanwhile is refused.
class ContextAccess {
 public:
  ContextAccess() noexcept : thread_(detail::in_critical_section() ? nullptr : thread_state()) {
    if (thread_ != nullptr && thread_->in_slow_path) thread_ = nullptr;  // which reads it
  }
  [[nodiscard]] explicit operator bool() const noexcept { return thread_ != nullptr; }
  [[nodiscard]] ThreadState* operator->() const noexcept { return thread_; }
  [[nodiscard]] ThreadState& operator*() const noexcept { return *thread_; }

 protected:
  void refuse() noexcept { thread_ = nullptr; }

 private:
  ThreadState* thread_;
  const detail::CriticalSection section_;
};

/// The same, to be changed: lanes write it out before the next event.
class ContextChange : public ContextAccess {
 public:
  enum class Kind : std::uint8_t { adds, takes_away };
  /// What adds to it is refused where there is no memory to leave events what they refer to; what takes away is not: a
  /// scope that has ended must be gone.
  explicit ContextChange(Kind kind) noexcept {
    if (*this && !(*this)->leave_context_to_events() && kind == Kind::adds) refuse();
    if (*this) ThreadState::close_window();
  }
  ContextChange(const ContextChange&) = delete;
  ContextChange& operator=(const ContextChange&) = delete;
  ~ContextChange() {
    if (*this) (*this)->context_version = version_ != 0 ? version_ : new_version();
  }
  /// What is in force becomes one that had that version. Else it has one of its own.
  void becomes(std::uint64_t version) noexcept { version_ = version; }
  [[nodiscard]] std::uint64_t new_version() const noexcept { return ++(*this)->newest_version; }

 private:
  std::uint64_t version_ = 0;
};

void count_cut() noexcept { detail::context_cuts.fetch_add(1, std::memory_order_relaxed); }

std::int64_t now() noexcept { return system_clock().now().time_since_epoch().count(); }

/// Ids are given out to threads in runs, so that no two threads ever have the same: a scope ended on another thread
/// than its own finds nothing to remove there.
std::uint64_t take_id(ThreadState& thread) noexcept {
  constexpr std::uint64_t run = std::uint64_t{1} << 24U;
  static std::atomic<std::uint64_t> runs{1};  // relaxed: only has to differ
  if (thread.next_scope < run || thread.next_scope % run == 0) [[unlikely]] {
    thread.next_scope = runs.fetch_add(1, std::memory_order_relaxed) * run + 1;
  }
  return thread.next_scope++;
}

std::size_t used_bytes(const PropertyBlock& block) noexcept {
  return block.size_bytes() + block.trace_count() * PropertyBlock::trace_bytes;
}

/// Makes room where there is none by dropping what has expired.
bool fits(PropertyBlock& block, std::size_t bytes, std::size_t properties) noexcept {
  const auto has_room = [&] {
    return used_bytes(block) + bytes <= max_bytes && block.count() + properties <= max_properties;
  };
  if (has_room()) return true;
  block.remove_expired(now());
  return has_room();
}

bool push_entry(PropertyBlock& block, std::string_view name, const Value& value, std::int64_t expiry,
                std::uint64_t id) noexcept {
  std::size_t bytes = sizeof(detail::PropertyEntry) + name.size() + sizeof(const detail::ValueType*);
  if (value.data() != nullptr)
    bytes += static_cast<std::size_t>(detail::skip_value(value.type(), value.data()) - value.data());
  if (bytes > max_bytes || !fits(block, bytes, 1)) return false;
  try {
    block.add(name, value, expiry, id);
  } catch (...) {
    return false;
  }
  if (used_bytes(block) > max_bytes) {  // a name that was not UTF-8 grows when it is mended
    block.remove_ids(id, id);
    return false;
  }
  return true;
}

std::int64_t expiry_of(std::chrono::nanoseconds timeout) noexcept {
  constexpr std::int64_t never = detail::PropertyEntry::never;
  if (timeout == std::chrono::nanoseconds::max()) return never;
  const std::int64_t time = now();
  return timeout.count() > never - time ? never : time + timeout.count();
}

// ---- UUIDs

/// xoshiro256**, one a thread.
struct Generator {
  std::uint64_t state[4];
  std::uint64_t generation;  // the process it was seeded in; 0: not yet

  void seed(std::uint64_t process) noexcept {
    do {
      detail::random_bytes(state, sizeof(state));
    } while ((state[0] | state[1] | state[2] | state[3]) == 0);
    generation = process;
  }
  std::uint64_t next() noexcept {
    const auto rotate = [](std::uint64_t x, unsigned k) { return (x << k) | (x >> (64U - k)); };
    const std::uint64_t result = rotate(state[1] * 5, 7) * 9;
    const std::uint64_t t = state[1] << 17U;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= t;
    state[3] = rotate(state[3], 45);
    return result;
  }
};
// Trivially destructible, so that it can be used at any time of a thread's life.
constinit thread_local Generator generator{};

constexpr std::size_t uuid_size = 36;

void new_uuid(char (&text)[uuid_size]) noexcept {
  std::uint64_t bits[2];
  if (detail::in_critical_section()) {  // a handler's may come between the steps of another one, and must not be it
    detail::random_bytes(bits, sizeof(bits));
  } else {
    const detail::CriticalSection section;
    if (const std::uint64_t process = detail::fork_generation(); generator.generation != process)
      generator.seed(process);
    for (std::uint64_t& half : bits) half = generator.next();
  }
  bits[0] = (bits[0] & ~std::uint64_t{0xF000}) | 0x4000U;                        // version 4
  bits[1] = (bits[1] & ~(std::uint64_t{3} << 62U)) | (std::uint64_t{2} << 62U);  // variant 10
  std::size_t at = 0;
  for (unsigned digit = 0; digit < 32; ++digit) {
    if (digit == 8 || digit == 12 || digit == 16 || digit == 20) text[at++] = '-';
    text[at++] = "0123456789abcdef"[(bits[digit / 16] >> (60U - 4 * (digit % 16))) & 0xFU];
  }
}

// ---- traceparent

bool is_hex(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view text) noexcept { return text.find_first_not_of('0') == std::string_view::npos; }

/// As https://www.w3.org/TR/trace-context has it: `version-trace id-span id-flags`. False: not one.
bool parse_traceparent(std::string_view header, char (&ids)[PropertyBlock::trace_size]) noexcept {
  constexpr std::size_t size = 55;
  if (header.size() < size || header[2] != '-' || header[35] != '-' || header[52] != '-') return false;
  const std::string_view version = header.substr(0, 2);
  const std::string_view trace = header.substr(3, 32);
  const std::string_view span = header.substr(36, 16);
  const std::string_view flags = header.substr(53, 2);
  if (!is_hex(version) || !is_hex(trace) || !is_hex(span) || !is_hex(flags)) return false;
  if (version == "ff" || is_zero(trace) || is_zero(span)) return false;
  if (header.size() > size && (version == "00" || header[size] != '-')) return false;
  std::memcpy(ids, trace.data(), 32);
  std::memcpy(ids + 32, span.data(), 16);
  std::memcpy(ids + 48, flags.data(), 2);
  if (version != "00") {  // of a later version's flags only `sampled` is known to mean the same
    const char low = flags[1];
    const int digit = low <= '9' ? low - '0' : low - 'a' + 10;
    ids[48] = '0';
    ids[49] = (digit & 1) != 0 ? '1' : '0';
  }
  return true;
}

}  // namespace

// ---- pushes

ContextScope::~ContextScope() {
  if (first_ == 0) return;
  const ContextChange thread(ContextChange::Kind::takes_away);
  if (!thread) return;
  thread->context->remove_ids(first_, last_);
  for (std::size_t i = 0; i < thread->covered_count; ++i) {
    detail::CoveredContext& covered = thread->covered[i];
    const std::size_t bytes = used_bytes(covered.before);
    covered.before.remove_ids(first_, last_);
    if (used_bytes(covered.before) != bytes) covered.version = thread.new_version();
  }
}

ContextScope LogContext::cut() noexcept {
  count_cut();
  return ContextScope(0, 0);
}

ContextScope LogContext::push_value(std::string_view name, const detail::ScratchValue& value,
                                    std::chrono::nanoseconds timeout) noexcept {
  const ContextChange thread(ContextChange::Kind::adds);
  if (!thread || !value.complete() || value.cut()) return cut();
  if (timeout <= std::chrono::nanoseconds::zero()) return ContextScope(0, 0);
  const std::uint64_t id = take_id(*thread);
  if (!push_entry(*thread->context, name, value.view(), expiry_of(timeout), id)) return cut();
  return ContextScope(id, id);
}

ContextScope LogContext::push_properties(std::initializer_list<ContextProperty> properties) noexcept {
  const ContextChange thread(ContextChange::Kind::adds);
  const std::uint64_t id = thread ? take_id(*thread) : 0;
  bool any = false;
  for (const ContextProperty& property : properties) {
    if (thread && property.value && !property.value->truncated() &&
        push_entry(*thread->context, property.name, property.value->view(), detail::PropertyEntry::never, id)) {
      any = true;
    } else {
      count_cut();
    }
  }
  if (!any) return ContextScope(0, 0);
  return ContextScope(id, id);
}

// ---- correlation ids

ContextScope LogContext::push_correlation_id(std::string_view id) noexcept {
  char text[uuid_size];
  if (id.empty()) {
    new_uuid(text);
    id = std::string_view(text, sizeof(text));
  }
  return push(correlation_name, id);
}

std::string LogContext::correlation_id() {
  const ContextAccess thread;
  Value value;
  if (!thread || !thread->context->find(correlation_name, now(), value)) return {};
  return value.to_text();
}

std::string LogContext::new_correlation_id() {
  char text[uuid_size];
  new_uuid(text);
  return std::string(text, sizeof(text));
}

// ---- traces

ContextScope LogContext::push_traceparent(std::string_view header, bool* valid) noexcept {
  char ids[PropertyBlock::trace_size];
  const bool is_one = parse_traceparent(header, ids);
  if (valid != nullptr) *valid = is_one;
  const ContextChange thread(ContextChange::Kind::adds);
  if (!is_one || !thread || !fits(*thread->context, PropertyBlock::trace_bytes, 0)) return cut();
  const std::uint64_t id = take_id(*thread);
  try {
    thread->context->push_trace(std::string_view(ids, sizeof(ids)), id);
  } catch (...) {
    return cut();
  }
  return ContextScope(id, id);
}

std::string LogContext::traceparent() {
  const ContextAccess thread;
  if (!thread || thread->context->trace_id().empty()) return {};
  std::string header = "00-";
  header += thread->context->trace_id();
  header += '-';
  header += thread->context->span_id();
  header += '-';
  header += thread->context->trace_flags();
  return header;
}

// ---- snapshots

struct ContextSnapshot::Data {
  PropertyBlock block;
  std::uint64_t version = 0;

  [[nodiscard]] static std::uint64_t new_version() noexcept {
    static std::atomic<std::uint64_t> made{detail::ContextVersion::of_empty_snapshot};  // relaxed: only has to differ
    return made.fetch_add(1, std::memory_order_relaxed) + 1;
  }
};

std::size_t ContextSnapshot::size() const noexcept { return data_ == nullptr ? 0 : data_->block.count_at(now()); }

ContextSnapshot LogContext::snapshot() noexcept {
  ContextSnapshot made;
  const ContextAccess thread;
  if (!thread) count_cut();
  if (!thread || used_bytes(*thread->context) == 0) return made;
  try {
    auto data = std::make_shared<ContextSnapshot::Data>();
    data->block = *thread->context;
    data->block.remove_expired(now());
    data->block.forget_ids();  // the scopes of the pushes do not reach into copies
    // One that was a snapshot's, and that nothing was added to or taken from since, is the same again.
    const std::uint64_t version = thread->context_version;
    const bool same =
        (version & detail::ContextVersion::of_snapshot) != 0 && used_bytes(data->block) == used_bytes(*thread->context);
    data->version = same ? version : ContextSnapshot::Data::new_version();
    made.data_ = std::move(data);
  } catch (...) {
    count_cut();
  }
  return made;
}

LogContext::Scope::Scope(const ContextSnapshot& snapshot) noexcept {
  ContextChange thread(ContextChange::Kind::adds);
  try {
    if (!thread) throw std::bad_alloc();
    if (thread->covered_count == thread->covered.size()) thread->covered.emplace_back();
  } catch (...) {
    count_cut();
    return;
  }
  id_ = take_id(*thread);
  detail::CoveredContext& covered = thread->covered[thread->covered_count++];
  covered.scope = id_;
  covered.version = thread->context_version;
  std::swap(covered.before, *thread->context);
  thread->context->clear();
  if (snapshot.data_ == nullptr) {
    thread.becomes(detail::ContextVersion::of_empty_snapshot);
    return;
  }
  try {
    *thread->context = snapshot.data_->block;
    thread.becomes(snapshot.data_->version);
  } catch (...) {
    thread->context->clear();
    count_cut();
  }
}

LogContext::Scope::~Scope() {
  if (id_ == 0) return;
  ContextChange thread(ContextChange::Kind::takes_away);
  if (!thread) return;
  const auto first = thread->covered.begin();
  const auto last = first + static_cast<std::ptrdiff_t>(thread->covered_count);
  const auto mine =
      std::find_if(first, last, [&](const detail::CoveredContext& covered) { return covered.scope == id_; });
  if (mine == last) return;  // of another thread
  // What this scope put aside is what the next one inside it shall put back, or what is in force from now on.
  if (mine + 1 == last) {
    std::swap(mine->before, *thread->context);
    thread.becomes(mine->version);
  } else {
    std::swap(mine->before, (mine + 1)->before);
    (mine + 1)->version = mine->version;
    thread.becomes(thread->context_version);
  }
  mine->before.clear();
  std::rotate(mine, mine + 1, last);
  --thread->covered_count;
}

// ---- looking

void LogContext::clear() noexcept {
  const ContextChange thread(ContextChange::Kind::takes_away);
  if (thread) thread->context->clear();
}

std::optional<OwnedValue> LogContext::current(std::string_view name) {
  const ContextAccess thread;
  Value value;
  if (!thread || !thread->context->find(name, now(), value)) return std::nullopt;
  return OwnedValue(value);
}

std::size_t LogContext::size() noexcept {
  const ContextAccess thread;
  return thread ? thread->context->count_at(now()) : 0;
}

std::size_t LogContext::size_bytes() noexcept {
  const ContextAccess thread;
  return thread ? used_bytes(*thread->context) : 0;
}

std::uint64_t LogContext::cut_count() noexcept { return detail::context_cuts.load(std::memory_order_relaxed); }

}  // namespace cairn
