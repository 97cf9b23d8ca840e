// What a program loads, has log, and closes.
#include <cairn/all.hpp>
#include <string>

namespace {
enum class Colour { red, green };
struct Part {
  std::string name;
  Colour colour;
};
}  // namespace

extern "C" void log_from_plugin(const cairn::Logger& log, int calls) {
  for (int i = 0; i < calls; ++i) {
    CAIRN_WARNING(log, "Macro {N} of {@Part}", i, Part{"wheel", Colour::green});
    log.information("Function {N} of {@Part}", i, Part{"wheel", Colour::red});
  }
}
