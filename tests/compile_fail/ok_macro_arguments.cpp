// What may stand as a value in a macro call, and be taken apart right: packs, buffers.
#include <cairn/cairn.hpp>

template <class... A>
void pack(const cairn::Logger& log, const A&... values) {
  CAIRN_INFORMATION(log, "a pack of values {A} {B}", values...);
}

void macro_arguments_of_all_kinds(const cairn::Logger& log, int user);
void macro_arguments_of_all_kinds(const cairn::Logger& log, int user) {
  const char text[8] = "local";
  char buffer[8] = "buffer";
  CAIRN_INFORMATION(log, "a local text {}", text);
  CAIRN_INFORMATION(log, "a buffer {Buffer} and {}", buffer, user);
  pack(log, user, "text");
  pack(log, "text", user);
}
