// expect: CAIRN008
// expect: no_structure
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>
#include <cairn/render.hpp>

#include <string>

void call(const cairn::Logger& log, const std::string& token);
void call(const cairn::Logger& log, const std::string& token) {
  CAIRN_INFORMATION(log, "{@Token}", cairn::secret(token));
}
