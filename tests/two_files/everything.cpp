// A file with every header.
#include "types.hpp"

#include <cairn/all.hpp>
#include <cairn/types/fmt.hpp>
#include <complex>
#include <iostream>

#include "log_values.hpp"
#include "told_types.hpp"

void log_with_everything(const cairn::Logger& log);
void log_with_everything(const cairn::Logger& log) {
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

  log_text(log, app::Order{9});
  log_text(log, app::Secretive(10));
  log_text(log, app::WideOrder{11});
  log_structure(log, app::Order{9});
}
