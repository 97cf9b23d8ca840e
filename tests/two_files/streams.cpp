// A file with cairn/types/ostream.hpp.
#include <cairn/types/ostream.hpp>

#include "types.hpp"

#include "log_values.hpp"

void log_with_streams(const cairn::Logger& log);
void log_with_streams(const cairn::Logger& log) {
  log_structure(log, app::Meters{2});
  log_structure(log, app::Label{"abc"});
  log_structure(log, app::Wide{3});
  log_structure(log, app::Seat{4});
  log_pushed(log, app::Meters{2});
  log_pushed(log, app::Seat{4});

  log_structure(log, app::Point{5, 6});
  log_structure(log, app::Box<int>{7});
  log_text(log, app::Point{5, 6});
  log_text(log, app::Box<int>{7});
  log_text(log, app::Ticket(8));
  log.information("{A}", std::thread::id());
}
