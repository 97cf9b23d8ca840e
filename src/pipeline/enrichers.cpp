// What the stock enrichers know: the thread, the process, the machine, the call.
#include "cairn/enrichers.hpp"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "capture/property_block.hpp"
#include "platform/fork_generation.hpp"

namespace cairn {

void EventBuilder::add_value(std::string_view name, const Value& value, bool cut) {
  extras_.replace_within(detail::default_capture_limits.event_bytes, name, value, cut);
}

namespace enrichers {

namespace {

/// A number that the kernel would have to be asked for, kept until a fork makes it another.
struct Kept {
  std::uint64_t generation;  // 0: not asked yet
  std::int64_t number;
};
constinit thread_local Kept kept_thread{};
constinit thread_local Kept kept_process{};

template <class Ask>
std::int64_t kept_number(Kept& kept, Ask ask) noexcept {
  if (const std::uint64_t generation = detail::fork_generation(); kept.generation != generation) {
    kept = {generation, static_cast<std::int64_t>(ask())};
  }
  return kept.number;
}

}  // namespace

Enricher thread_id() {
  return Enricher(
             [](EventBuilder& e) { e.add("ThreadId", kept_number(kept_thread, [] { return syscall(SYS_gettid); })); })
      .at_capture();
}

Enricher thread_name() {
  return Enricher([](EventBuilder& e) {
           char name[17] = {};  // the kernel keeps 16 with the NUL
           if (prctl(PR_GET_NAME, name) == 0) e.add("ThreadName", std::string_view(name));
         })
      .at_capture();
}

Enricher process_id() {
  return Enricher([](EventBuilder& e) { e.add("ProcessId", kept_number(kept_process, [] { return getpid(); })); });
}

Enricher process_name() { return property("ProcessName", std::string_view(program_invocation_short_name)); }

Enricher machine_name() {
  char name[257] = {};
  if (gethostname(name, sizeof(name) - 1) != 0) std::strcpy(name, "localhost");
  return property("MachineName", std::string_view(name));
}

Enricher source_location() {
  return Enricher([](EventBuilder& e) {
    const Event& event = e.event();
    if (event.line() == 0) return;  // the event has no place in the program
    e.add("SourceFile", event.file());
    e.add("SourceLine", event.line());
    e.add("SourceFunction", event.function());
  });
}

Enricher environment_variable(std::string variable, std::string name) {
  const char* value = std::getenv(variable.c_str());
  if (value == nullptr) return Enricher([](EventBuilder&) {});
  return property(name.empty() ? std::move(variable) : std::move(name), std::string_view(value));
}

}  // namespace enrichers
}  // namespace cairn
