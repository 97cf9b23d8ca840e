// Which templates an output is full of: the most frequent of any number of them, in bounded memory.
//
//   cairn::TopTalkers talkers;
//   talkers.record(cairn::event_id("User {User} logged in"), "User {User} logged in");
//   for (const cairn::Talker& t : talkers.top(10)) std::cout << t.count << ' ' << t.text << '\n';
//
// The space-saving algorithm, with so many counters as the constructor says. Each count is never too low, and too high
// by `error` at most, which is at most total() / capacity(); every template with more events than that is in the list.
// While there are no more templates than counters all counts are exact and `error` is 0.
//
// Templates are told apart by their event id (the `@i` of CLEF). Of a text the first 256 bytes are kept. record()
// allocates only when it meets a template whose text is longer than any its counter held before. Not safe from several
// threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

struct Talker {
  std::uint32_t event_id = 0;
  std::string text;
  std::uint64_t count = 0;  // events, too many by `error` at most
  std::uint64_t error = 0;
};

class TopTalkers {
 public:
  static constexpr std::size_t max_text = 256;

  /// `capacity`: counters, at least 1. Throws std::bad_alloc.
  explicit TopTalkers(std::size_t capacity = 256);

  /// Counts `count` events of a template. Throws std::bad_alloc, having counted nothing.
  void record(std::uint32_t event_id, std::string_view text, std::uint64_t count = 1);
  /// The `most` most frequent ones, most frequent first.
  [[nodiscard]] std::vector<Talker> top(std::size_t most) const;
  /// All events there were.
  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  void reset() noexcept;

 private:
  static constexpr std::uint32_t none = UINT32_MAX;
  [[nodiscard]] std::size_t home(std::uint32_t event_id) const noexcept {
    return (std::uint64_t{event_id} * 0x9E3779B97F4A7C15U) >> shift_;
  }
  [[nodiscard]] std::size_t least() noexcept;
  void enter(std::uint32_t event_id, std::uint32_t counter) noexcept;
  void leave(std::uint32_t counter) noexcept;

  struct Counter {
    std::uint32_t event_id = 0;
    std::uint64_t error = 0;
    std::string text;
  };
  std::size_t capacity_;
  unsigned shift_;
  std::vector<std::uint32_t> slots_;   // a hash table of indices: open, linear, at most half full
  std::vector<std::uint64_t> counts_;  // of the counters, side by side, since the least is looked for
  std::vector<Counter> counters_;
  std::size_t hand_ = 0;     // where the search for the least goes on
  std::uint64_t floor_ = 0;  // no counter in use is below it
  std::uint64_t total_ = 0;
};

}  // namespace cairn
