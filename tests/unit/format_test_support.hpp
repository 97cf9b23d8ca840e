// What the tests of src/format share: a string from an appender, and a seed that is always printed.
#pragma once

#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "cairn/detail/format_spec.hpp"
#include "cairn/output_buffer.hpp"

namespace cairn::test {

/// What `write(OutputBuffer&)` writes; there is something in the buffer before, which must stay.
template <typename Write>
std::string written(Write&& write) {
  OutputBuffer out;
  out.append("<");
  std::forward<Write>(write)(out);
  return out.view().substr(0, 1) == "<" ? std::string(out.view_from(1)) : "what stood before is gone";
}

/// A generator seeded anew each run, its seed printed so that a failure can be had again.
inline std::mt19937_64 seeded(const char* test) {
  const std::uint64_t seed = std::random_device{}();
  std::printf("%s: seed %llu\n", test, static_cast<unsigned long long>(seed));
  return std::mt19937_64(seed);
}

inline std::size_t below(std::mt19937_64& random, std::size_t limit) {
  return static_cast<std::size_t>(random() % limit);
}

/// `{:spec}`
inline std::string hole(std::string_view spec) { return std::string("{:").append(spec).append("}"); }

/// Random bytes, of the kinds that matter to UTF-8: ASCII, controls, whole characters, broken ones.
inline std::string random_bytes(std::mt19937_64& random, std::size_t longest) {
  static constexpr std::string_view pieces[] = {"a",
                                                "plain text, sixteen and more",
                                                "\"",
                                                "\\",
                                                "\n",
                                                "\x1b",
                                                "\x7f",
                                                "\xC3\xBC",
                                                "\xE2\x80\xA8",
                                                "\xE2\x80\xAE",
                                                "\xF0\x9F\x91\x8D",
                                                "\xC2\x85",
                                                "\xE6\x97\xA5",
                                                "\xED\xA0\x80",
                                                "\xF4\x90\x80\x80",
                                                "\xC0\xAF",
                                                "\xE0\x80\xAF",
                                                "\xF0\x9F\x91"};
  std::string text;
  const std::size_t size = below(random, longest + 1);
  while (text.size() < size) {
    if (below(random, 3) == 0) {
      text += static_cast<char>(random());
    } else {
      text += pieces[below(random, std::size(pieces))];
    }
  }
  return text;
}

}  // namespace cairn::test
