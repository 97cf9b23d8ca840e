// Call sites of every sort, none of which runs: cairn-catalog has to find exactly these. What it has to say of each
// stands in a comment by it: level, template and properties, with tabs between.
#include <cairn/cairn.hpp>

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "sample.hpp"

enum class Colour { red, green };
template <>
struct cairn::EnumNames<Colour> {
  static constexpr std::array names{cairn::EnumName{Colour::red, "red"}, cairn::EnumName{Colour::green, "green"}};
};

namespace {

struct Point {
  int x;
  double y;
};
struct Order {
  unsigned id;
  std::string customer;
  std::vector<Point> route;
};

// Verbose	anonymous {A}	A: int
void in_anonymous_namespace(const cairn::Logger& log, int a) { CAIRN_VERBOSE(log, "anonymous {A}", a); }

}  // namespace

// Information	of sample {A}	A: int
static void of_each_file(const cairn::Logger& log, int a) { CAIRN_INFORMATION(log, "of sample {A}", a); }

struct Service {
  // Fatal	constructed	-
  explicit Service(const cairn::Logger& log) { CAIRN_FATAL(log, "constructed"); }
};

// Debug	never called	-
[[gnu::noinline]] void never_called(const cairn::Logger& log) { CAIRN_DEBUG(log, "never called"); }

void run_sample(const cairn::Logger& log, int argument) {
  in_anonymous_namespace(log, argument);
  of_each_file(log, argument);
  in_header(log, argument);
  in_template(log, argument);
  in_template(log, 1.5);
  const Service service(log);
  // Warning	{argument} and {{braces}} „ü“	argument: int
  CAIRN_WARNING(log, "{} and {{braces}} „ü“", argument);
  const std::runtime_error error("declined");
  // Error	failed {A}	A: int
  CAIRN_ERROR(log, error, "failed {A}", argument);
  // Information	placed {@Order}	Order: Order{id: uint, customer: string, route: [Point{x: int, y: double}]}
  CAIRN_INFORMATION(log, "placed {@Order}", Order{});
  // Information	{$Text} {Colour}	Text: string, Colour: enum(red|green)
  CAIRN_INFORMATION(log, "{$Text} {Colour}", std::string("p"), Colour::red);
  const std::map<std::string, std::optional<bool>> switches;
  const auto now = std::chrono::system_clock::now();
  // Information	{Switches} {Took} {At}	Switches: {string: any}, Took: duration(ms), At: time
  CAIRN_INFORMATION(log, "{Switches} {Took} {At}", switches, std::chrono::milliseconds(3), now);
  // Information	{Secret} {Text} {Character}	Secret: secret, Text: string, Character: char
  CAIRN_INFORMATION(log, "{Secret} {Text} {Character}", cairn::secret(argument), "text", 'c');
  // Debug	in a lambda {V}	V: int
  // Debug	in a lambda {V}	V: string
  const auto lambda = [&](auto value) { CAIRN_DEBUG(log, "in a lambda {V}", value); };
  lambda(argument);
  lambda("text");
  for (int i = 0; i < 4; ++i) {
    // Information	in a loop {I}	I: int
    CAIRN_INFORMATION(log, "in a loop {I}", i);
  }
  // The function form is no part of the list.
  log.information("a function {A}", argument);
}
