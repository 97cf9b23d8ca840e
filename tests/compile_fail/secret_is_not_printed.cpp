// expect: error
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>
#include <cairn/render.hpp>

#include <vector>

#include <iostream>

void call(const cairn::Logger& log);
void call(const cairn::Logger& log) {
  (void)log;
  std::cout << cairn::secret(1);
}
