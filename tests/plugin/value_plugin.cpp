// The same that only makes values of its types: it logs nothing, and has no call site.
#include <cairn/log_context.hpp>
#include <cairn/value.hpp>
#include <string>

namespace {
struct Part {
  std::string name;
  int weight;
};
}  // namespace

extern "C" cairn::OwnedValue* value_from_plugin() { return new cairn::OwnedValue(Part{"wheel", 7}); }
