// An event to its line, without the call before it and the file behind: CLEF and text, beside a floor written by hand
// for that very event: the fixed pieces are literals, the time of its second is known, numbers are std::to_chars.
#include <benchmark/benchmark.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "cairn/cairn.hpp"
#include "cairn/configuration.hpp"
#include "cairn/memory_sink.hpp"
#include "format/clef_formatter.hpp"
#include "format/text_formatter.hpp"

namespace {

/// 2026-01-31 17:05:09.123456789 UTC, for ever.
struct FixedClock final : cairn::Clock {
  static constexpr std::int64_t time = 1'769'879'109'123'456'789;
  cairn::Timestamp now() noexcept override { return cairn::Timestamp(std::chrono::nanoseconds(time)); }
  std::chrono::nanoseconds steady() noexcept override { return {}; }
};

struct Values {
  std::string user = "alice.anderson";
  int order = 4711;
  double total = 12.625;
};

cairn::OwnedEvent the_event(const Values& values) {
  static FixedClock clock;
  const auto sink = std::make_shared<cairn::MemorySink>();
  const auto log = cairn::Configuration{}.use_clock(clock).write_to(sink).create_logger();
  log.information("User {User} placed order {Order} of {Total} EUR", values.user, values.order, values.total);
  return sink->events().back();
}

/// A value that the compiler cannot see through.
template <class T>
T opaque(T value) {
  benchmark::DoNotOptimize(value);
  return value;
}

char* put(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}
template <class T>
char* put_number(char* to, T value) {
  return std::to_chars(to, to + 32, value).ptr;
}
/// `second` is the time of which the whole second is known.
char* put_fraction(char* to, std::int64_t time, std::int64_t second, int digits) {
  auto rest = static_cast<std::uint32_t>(time - second * 1'000'000'000);
  for (int i = digits; i < 9; ++i) rest /= 10;
  for (int i = digits; i > 0; --i, rest /= 10) to[i - 1] = static_cast<char>('0' + rest % 10);
  return to + digits;
}
bool needs_escape(std::string_view text) {
  bool found = false;
  for (const char c : text) found |= static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\' || c < 0;
  return found;
}

std::size_t clef_by_hand(char* buffer, const Values& values, std::int64_t time, std::int64_t second) {
  char* to = put(buffer, R"({"@t":"2026-01-31T17:05:09.)");
  to = put_fraction(to, time, second, 7);
  to = put(to, R"(Z","@mt":"User {User} placed order {Order} of {Total} EUR","User":")");
  if (needs_escape(values.user)) std::abort();
  to = put(to, values.user);
  to = put(to, R"(","Order":)");
  to = put_number(to, values.order);
  to = put(to, R"(,"Total":)");
  to = put_number(to, values.total);
  to = put(to, "}\n");
  return static_cast<std::size_t>(to - buffer);
}

std::size_t text_by_hand(char* buffer, const Values& values, std::int64_t time, std::int64_t second) {
  char* to = put(buffer, "2026-01-31 17:05:09.");
  to = put_fraction(to, time, second, 3);
  to = put(to, " +0000 [INF] User ");
  if (needs_escape(values.user)) std::abort();
  to = put(to, values.user);
  to = put(to, " placed order ");
  to = put_number(to, values.order);
  to = put(to, " of ");
  to = put_number(to, values.total);
  to = put(to, " EUR\n");
  return static_cast<std::size_t>(to - buffer);
}

template <class Format>
void by_hand(benchmark::State& state, Format format) {
  const Values values;
  const auto buffer = std::make_unique<char[]>(1024);
  constexpr std::int64_t second = FixedClock::time / 1'000'000'000;
  for (auto _ : state) {
    benchmark::DoNotOptimize(format(buffer.get(), opaque<const Values&>(values), opaque(FixedClock::time), second));
    benchmark::ClobberMemory();
  }
}

template <class Formatter>
void by_formatter(benchmark::State& state, Formatter formatter,
                  std::size_t (*floor)(char*, const Values&, std::int64_t, std::int64_t)) {
  const Values values;
  const cairn::OwnedEvent event = the_event(values);
  cairn::OutputBuffer out;
  for (auto _ : state) {
    out.clear();
    formatter.format(event.view(), out);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  char expected[1024];
  const std::size_t size = floor(expected, values, FixedClock::time, FixedClock::time / 1'000'000'000);
  if (out.view() != std::string_view(expected, size)) state.SkipWithError("not the line of the floor");
}

void format_clef_floor(benchmark::State& state) { by_hand(state, clef_by_hand); }
void format_clef(benchmark::State& state) { by_formatter(state, cairn::detail::ClefFormatter(), clef_by_hand); }
void format_text_floor(benchmark::State& state) { by_hand(state, text_by_hand); }
void format_text(benchmark::State& state) {
  by_formatter(state,
               cairn::detail::TextFormatter(cairn::detail::default_text_template, cairn::Rendering::literal,
                                            cairn::TimeZone::utc),
               text_by_hand);
}
BENCHMARK(format_clef_floor);
BENCHMARK(format_clef);
BENCHMARK(format_text_floor);
BENCHMARK(format_text);

}  // namespace
