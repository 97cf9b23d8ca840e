// Hands inputs to a fuzz target without libFuzzer: every file of the folder, as what was found once must not come back;
// then, for so many seconds, files that are changed at random.
//
//   fuzz_replay_NAME FOLDER [SECONDS [SEED]]
//
// An input that ends the program is printed in hexadecimal.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

std::span<const std::uint8_t> present;

void print_input(int signal) {
  constexpr char digits[] = "0123456789abcdef";
  char text[512] = "the input: ";
  std::size_t size = 11;
  const auto put = [&] {
    if (::write(STDERR_FILENO, text, size) < 0) ::_exit(1);
    size = 0;
  };
  for (const std::uint8_t byte : present) {
    if (size + 3 > sizeof(text)) put();
    text[size++] = digits[byte >> 4U];
    text[size++] = digits[byte & 15U];
  }
  text[size++] = '\n';
  put();
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

void run(const Input& input) {
  // An exact copy on the heap, so that a sanitizer sees a read past its end.
  const Input exact(input.begin(), input.end());
  present = exact;
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  present = {};
}

/// A few changes of what fuzzers do: bits, bytes, pieces left out, doubled, or taken from another.
Input changed(Input input, const std::vector<Input>& all, std::mt19937& random) {
  constexpr std::size_t longest = 4096;
  const auto below = [&](std::size_t bound) { return bound != 0 ? random() % bound : 0; };
  const auto at = [&](std::size_t place) { return input.begin() + static_cast<std::ptrdiff_t>(place); };
  for (std::size_t changes = 1 + below(4); changes != 0; --changes) {
    const std::size_t place = below(input.size());
    const std::size_t piece = std::min(input.size() - place, 1 + below(16));
    switch (below(5)) {
      case 0:
        if (!input.empty()) input[place] ^= static_cast<std::uint8_t>(1U << below(8));
        break;
      case 1:
        if (!input.empty()) input[place] = static_cast<std::uint8_t>(random());
        break;
      case 2: input.erase(at(place), at(place + piece)); break;
      case 3: {
        const Input copy(at(place), at(place + piece));
        input.insert(at(below(input.size() + 1)), copy.begin(), copy.end());
        break;
      }
      default: {
        const Input& other = all[below(all.size())];
        const std::size_t from = below(other.size());
        input.resize(place);
        input.insert(input.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
      }
    }
  }
  if (input.size() > longest) input.resize(longest);
  return input;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) return 2;
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTERM}) ::signal(signal, &print_input);
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator{arguments[1]})
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Input> inputs;
  for (const auto& file : files) {
    std::printf("%s\n", file.filename().c_str());
    std::fflush(stdout);  // so that the last line names the culprit
    std::ifstream in{file, std::ios::binary};
    const std::vector<char> bytes{std::istreambuf_iterator<char>{in}, {}};
    inputs.emplace_back(bytes.begin(), bytes.end());
    run(inputs.back());
  }
  std::printf("%zu inputs replayed\n", inputs.size());
  if (inputs.empty()) return 1;  // an empty corpus proves nothing

  const double seconds = count > 2 ? std::atof(arguments[2]) : 0;
  const auto seed =
      count > 3 ? static_cast<std::uint32_t>(std::strtoul(arguments[3], nullptr, 10)) : std::random_device{}();
  std::printf("changed at random, seed %u\n", seed);
  std::fflush(stdout);
  std::mt19937 random(seed);
  std::size_t tried = 0;
  const auto begun = std::chrono::steady_clock::now();
  for (; std::chrono::steady_clock::now() - begun < std::chrono::duration<double>(seconds); ++tried)
    run(changed(inputs[random() % inputs.size()], inputs, random));
  std::printf("%zu tried\n", tried);
  return 0;
}
