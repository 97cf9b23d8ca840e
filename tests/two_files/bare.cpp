// A file that includes nothing of types: it logs what can be captured without.
#include "types.hpp"

#include "log_values.hpp"

void log_bare(const cairn::Logger& log);
void log_bare(const cairn::Logger& log) {
  log_structure(log, app::Meters{2});
  log_structure(log, app::Label{"abc"});
  log_structure(log, app::Wide{3});
  log_structure(log, app::Seat{4});
  log_pushed(log, app::Meters{2});
  log_pushed(log, app::Seat{4});
}
