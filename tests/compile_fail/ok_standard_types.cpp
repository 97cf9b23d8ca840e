// What Cairn knows of the standard library needs no header but cairn.hpp, although much of it has an operator<<.
#include <cairn/cairn.hpp>

#include <array>
#include <atomic>
#include <bitset>
#include <charconv>
#include <chrono>
#include <complex>
#include <deque>
#include <exception>
#include <filesystem>
#include <forward_list>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <source_location>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <valarray>
#include <variant>
#include <vector>

namespace app {
enum class Side { buy, sell };
std::ostream& operator<<(std::ostream& out, Side side);  // of a number

/// What has an operator<< and is captured as something else: never a structure.
struct Numbers : std::vector<int> {};
std::ostream& operator<<(std::ostream& out, const Numbers& numbers);
struct Failed : std::runtime_error {
  using std::runtime_error::runtime_error;
};
std::ostream& operator<<(std::ostream& out, const Failed& failed);
struct Stated {
  int number;
};
std::ostream& operator<<(std::ostream& out, const Stated& stated);
struct Told {
  int number;
};
std::ostream& operator<<(std::ostream& out, const Told& told);
struct Printer;
struct Logged {
  int number;
};
Printer& operator<<(Printer& out, const Logged& logged);  // to another stream
}  // namespace app
template <>
struct cairn::Capture<app::Stated> {
  static void capture(const app::Stated& stated, cairn::ValueWriter& out) { out.value(stated.number); }
};
template <>
struct cairn::StringForm<app::Told> {
  static void write(const app::Told& told, std::string& out) { out += std::to_string(told.number); }
};

void texts(const cairn::Logger& log, std::exception_ptr thrown);
void texts(const cairn::Logger& log, std::exception_ptr thrown) {
  using namespace std::string_literals;
  log.information("{A} {B} {C} {D} {E} {F}", "a"s, "b", std::u8string(u8"c"), u"d"s, U"e"s, L"f"s);
  log.information("{A} {B} {C}", std::filesystem::path("a"), std::error_code(), std::error_condition());
  log.information("{A} {B} {C} {D}", std::source_location::current(), std::runtime_error("b"), thrown, nullptr);
  log.information("{A} {B} {C}", app::Side::buy, app::Failed("b"), std::errc::io_error);
}
void times(const cairn::Logger& log);
void times(const cairn::Logger& log) {
  using namespace std::chrono;
  log.information("{A} {B} {C}", system_clock::now(), steady_clock::now(), file_clock::now());
  log.information("{A} {B} {C} {D}", seconds(1), hours(1), duration<double>(1), sys_days(days(1)));
}
void containers(const cairn::Logger& log);
void containers(const cairn::Logger& log) {
  using std::string;
  log.information("{A} {B} {C} {D}", std::vector{1}, std::deque{1}, std::list{1}, std::forward_list{1});
  log.information("{A} {B} {C} {D}", std::set{1}, std::unordered_set{1}, std::array{1}, std::valarray{1});
  log.information("{A} {B} {C}", std::map<int, string>(), std::unordered_map<string, int>(), std::multimap<int, int>());
  log.information("{A} {B}", std::span<const std::byte>(), app::Numbers());
  log.information("{A} {B} {C}", std::pair(1, 2), std::tuple(1, "b"), std::variant<std::monostate, int>(1));
  log.information("{A} {B} {C}", std::optional(1), std::make_unique<int>(1), std::make_shared<int>(1));
  const std::atomic<int> number = 1;
  const int other = 2;
  log.information("{A} {B} {C}", number, std::cref(other), std::vector{true}[0]);
}
void others(const cairn::Logger& log);
void others(const cairn::Logger& log) {
  log.information("{@A} {@B} {@C}", std::to_chars_result(), app::Stated{1}, app::Told{1});
  log.information("{@A}", app::Logged{1});
}
