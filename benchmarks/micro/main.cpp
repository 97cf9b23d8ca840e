// The small parts, each alone. A new one is a file beside this with its BENCHMARK lines.
#include "support/benchmark_main.hpp"

int main(int count, char** arguments) { return benchmark_main(count, arguments); }
