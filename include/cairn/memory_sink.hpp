// A sink that keeps what it gets, for the tests of programs that log. With GoogleMock, `cairn/testing.hpp` adds
// matchers.
//
//   auto sink = std::make_shared<cairn::MemorySink>();
//   auto log = cairn::Configuration{}.write_to(sink).create_logger();
//   pay(log);
//   EXPECT_EQ(sink->events().size(), 1U);
//   EXPECT_EQ(sink->events()[0]->message_template(), "Payment of {OrderId} failed");
#pragma once

#include <cstddef>
#include <iosfwd>
#include <mutex>
#include <string>
#include <vector>

#include "cairn/detail/fork_mutex.hpp"
#include "cairn/sink.hpp"

namespace cairn {

/// Every function is safe from every thread.
class MemorySink final : public Sink {
 public:
  /// Keeps the newest `limit` events; the older ones are forgotten, and counted in `forgotten()`.
  explicit MemorySink(std::size_t limit = SIZE_MAX) : limit_(limit) {}

  EmitResult emit(std::span<const Event> events) override;

  /// Copies of what is kept, oldest first. The copies share their bytes.
  [[nodiscard]] std::vector<OwnedEvent> events() const;
  /// The messages of what is kept.
  [[nodiscard]] std::vector<std::string> messages() const;
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t forgotten() const;
  void clear();

 private:
  const std::size_t limit_;
  mutable detail::ForkMutex mutex_;
  std::vector<OwnedEvent> events_;
  std::size_t forgotten_ = 0;
};

/// How GoogleTest names a sink in a failure: `a MemorySink with 2 events`. What they are, `logged()` shows.
void PrintTo(const MemorySink& sink, std::ostream* out);

}  // namespace cairn
