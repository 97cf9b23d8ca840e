// What may stand as a value in a macro call, and be taken apart right: texts of all kinds, numbers, packs, buffers.
#include <cairn/cairn.hpp>

template <class... A>
void pack(const cairn::Logger& log, const A&... values) {
  CAIRN_INFORMATION(log, "a pack of values {A} {B}", values...);
}

void macro_arguments_of_all_kinds(const cairn::Logger& log, const std::exception& e, int user);
void macro_arguments_of_all_kinds(const cairn::Logger& log, const std::exception& e, int user) {
  CAIRN_INFORMATION(log, "a raw string with a quote {A} {}", R"(a,b"c)", user);
  CAIRN_INFORMATION(log, "its own end in it {A} {}", R"x(a)",b)x", user);
  CAIRN_INFORMATION(log, "a prefix {A} {}", LR"(",)", user);
  CAIRN_ERROR(log, e, R"(a template with a quote " {})", user);
  CAIRN_INFORMATION(log, "digits {A} {B} {}", 1'000'000, 0xFF'FF, user);
  CAIRN_INFORMATION(log, "characters {A} {B} {}", u8',', L'"', user);
  const char text[8] = "local";
  char buffer[8] = "buffer";
  CAIRN_INFORMATION(log, "a local text {}", text);
  CAIRN_INFORMATION(log, "a buffer {Buffer} and {}", buffer, user);
  pack(log, user, "text");
  pack(log, "text", user);
}
