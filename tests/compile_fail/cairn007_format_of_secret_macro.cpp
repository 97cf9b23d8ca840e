// expect: CAIRN007
// expect: format_not_taken
#include <cairn/logger.hpp>
#include <cairn/macros.hpp>
#include <cairn/render.hpp>

#include <string>

void call(const cairn::Logger& log, const std::string& token);
void call(const cairn::Logger& log, const std::string& token) {
  CAIRN_INFORMATION(log, "{Token:u}", cairn::secret(token));
}
