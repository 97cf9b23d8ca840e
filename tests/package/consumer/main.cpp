// A consumer of the installed library: one thing from a header alone, one from the compiled library.
#include <cairn/level.hpp>
#include <cairn/output_buffer.hpp>
#include <cstdio>

int main() {
  cairn::OutputBuffer out;
  out.append(cairn::to_string(cairn::parse_level("wrn").value()));
  out.append(' ');
  out.append_number(42);
  std::printf("%.*s\n", static_cast<int>(out.size()), out.data());
  return out.view() == "Warning 42" ? 0 : 1;
}
