// How many bytes of its lane a log call takes: what the window's cursor moves by.
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <cstddef>
#include <cstdint>

#include "cairn/detail/write_window.hpp"

namespace {

using cairn::detail::write_window;
using cairn::detail::WriteWindow;

std::uint64_t address() { return write_window.cursor_now >> WriteWindow::cursor_shift; }

/// 0: in all the calls made each began a block.
template <class Call>
std::uint64_t bytes_of(const cairn::Logger& log, Call call) {
  log.information("This thread has a lane");
  for (int i = 0; i < 100; ++i) {
    if (write_window.cursor == nullptr || write_window.end == nullptr) return 0;
    const std::byte* const end = write_window.end;
    const std::uint64_t before = address();
    call(log);
    if (write_window.cursor != nullptr && write_window.end == end) return address() - before;
  }
  return 0;
}

TEST(RecordSize, of_three_values_of_8_bytes_is_48_from_a_macro_and_64_from_a_function) {
  const auto log = cairn::Configuration{}.write_to_null().with_queue().create_logger();
  const std::int64_t number = -1;
  const std::uint64_t size = 2;
  const double share = 0.5;
  EXPECT_EQ(bytes_of(log, [&](const cairn::Logger& to) { CAIRN_INFORMATION(to, "{A} {B} {C}", number, size, share); }),
            48U);
  EXPECT_EQ(bytes_of(log, [&](const cairn::Logger& to) { to.information("{A} {B} {C}", number, size, share); }), 64U);
}

}  // namespace
