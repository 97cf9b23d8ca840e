// H11: code of the program's own that runs inside a log call: it throws, logs, blocks, says another thing each time. It
// is run once an event, and costs the event nothing.
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cairn/types/ostream.hpp>

#include <future>
#include <ostream>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/every_output.hpp"

namespace {
int captures = 0;
int prints = 0;
const cairn::Logger* inner_log = nullptr;
}  // namespace

struct Throws {};
template <>
struct cairn::Capture<Throws> {
  static void capture(const Throws&, cairn::ValueWriter&) { throw std::runtime_error("cannot say"); }
};
struct ThrowsNumber {};
template <>
struct cairn::Capture<ThrowsNumber> {
  static void capture(const ThrowsNumber&, cairn::ValueWriter& out) {
    out.sequence([](auto& s) {
      s.element(1);
      throw 42;
    });
  }
};
/// Grows with each look at it.
struct Growing {};
template <>
struct cairn::Capture<Growing> {
  static void capture(const Growing&, cairn::ValueWriter& out) {
    out.value(std::string(static_cast<std::size_t>(++captures) * 100, 'g'));
  }
};
struct Prints {
  explicit Prints(int) {}
  friend std::ostream& operator<<(std::ostream& out, const Prints&) { return out << "printed " << ++prints; }
};
struct PrintThrows {
  explicit PrintThrows(int) {}
  friend std::ostream& operator<<(std::ostream&, const PrintThrows&) { throw std::runtime_error("\x1b[2Jno\nstream"); }
};
struct Logs {};
template <>
struct cairn::Capture<Logs> {
  static void capture(const Logs&, cairn::ValueWriter& out) {
    inner_log->information("from inside {N}", ++captures);
    out.value("outer");
  }
};
/// Logs itself for ever.
struct LogsItself {};
template <>
struct cairn::Capture<LogsItself> {
  static void capture(const LogsItself& value, cairn::ValueWriter& out) {
    ++captures;
    inner_log->information("{Again}", value);
    out.value("said");
  }
};
struct Waits {
  std::shared_future<void>* released;
  std::promise<void>* entered;
};
template <>
struct cairn::Capture<Waits> {
  static void capture(const Waits& value, cairn::ValueWriter& out) {
    value.entered->set_value();
    value.released->wait();
    out.value("waited");
  }
};

namespace {

using cairn::testing::EveryOutput;

TEST(H11UserCode, that_throws_leaves_an_error_in_the_place_of_its_value) {
  EveryOutput out;
  out.log.information("{A} {B} {C} {D}", Throws{}, ThrowsNumber{}, PrintThrows(1), 4);
  EXPECT_EQ(out.last()["A"], "<error: cannot say>");
  EXPECT_EQ(out.last()["B"], "<error: unknown exception>");
  EXPECT_EQ(out.last()["C"], "<error: \x1b[2Jno\nstream>");
  EXPECT_EQ(out.last()["D"], 4) << "its neighbours stay";
  out.expect_sound(1);
}

TEST(H11UserCode, that_throws_in_the_middle_of_a_range_leaves_an_error_in_the_place_of_all_of_it) {
  EveryOutput out;
  const std::vector<int> numbers{1, 2, 3, 4};
  const auto picky = numbers | std::views::transform([](int number) {
                       if (number == 3) throw std::runtime_error("not the third");
                       return number;
                     });
  const std::vector<std::vector<Throws>> nested(2, std::vector<Throws>(2));
  out.log.information("{A} {B} {C} {D}", picky, std::pair(1, Throws{}), nested, 4);
  EXPECT_EQ(out.last()["A"], "<error: not the third>");
  EXPECT_EQ(out.last()["B"].dump(), R"([1,"<error: cannot say>"])");
  EXPECT_EQ(out.last()["C"].size(), 2U);
  EXPECT_EQ(out.last()["D"], 4) << "its neighbours stay";
  out.expect_sound(1);
}

TEST(H11UserCode, is_run_once_an_event_however_many_outputs_there_are) {
  EveryOutput out;
  captures = 0;
  prints = 0;
  out.log.information("{A} {B} {A2}", Growing{}, Prints(1), 3);
  EXPECT_EQ(captures, 1);
  EXPECT_EQ(prints, 1);
  EXPECT_EQ(out.last()["A"], std::string(100, 'g'));
  EXPECT_EQ(out.last()["B"], "printed 1");
  EXPECT_NE(out.text().find("printed 1"), std::string::npos);
  out.expect_sound(1);
}

TEST(H11UserCode, that_logs_while_it_is_captured_is_logged_too) {
  EveryOutput out;
  captures = 0;
  inner_log = &out.log;
  out.log.information("{A}", Logs{});
  ASSERT_EQ(out.memory->size(), 2U);
  EXPECT_EQ(out.memory->messages().at(0), "from inside 1");
  EXPECT_EQ(out.memory->messages().at(1), "outer");
  out.expect_sound(2);
}

TEST(H11UserCode, that_logs_itself_for_ever_ends_and_is_counted) {
  EveryOutput out;
  captures = 0;
  inner_log = &out.log;
  out.log.information("{A}", LogsItself{});
  const auto counts = out.log.metrics().logger;
  EXPECT_EQ(counts.captured, static_cast<std::uint64_t>(captures));
  EXPECT_EQ(counts.rejected.at("reentrant"), 1U);
  EXPECT_EQ(out.memory->size(), static_cast<std::size_t>(captures));
  EXPECT_LE(captures, 8);
  out.expect_sound(out.memory->size());
}

TEST(H11UserCode, that_blocks_holds_no_other_thread_up) {
  EveryOutput out;
  std::promise<void> release;
  std::promise<void> entered;
  std::shared_future<void> released = release.get_future().share();
  std::thread blocked([&] { out.log.information("{A}", Waits{&released, &entered}); });
  entered.get_future().wait();
  out.log.information("meanwhile");
  EXPECT_EQ(out.memory->messages(), std::vector<std::string>{"meanwhile"});
  release.set_value();
  blocked.join();
  EXPECT_EQ(out.memory->messages().back(), "waited");
}

}  // namespace
