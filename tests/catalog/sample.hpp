#pragma once

#include <cairn/cairn.hpp>

// Information	in a header {A}	A: int
inline void in_header(const cairn::Logger& log, int a) { CAIRN_INFORMATION(log, "in a header {A}", a); }

// Information	in a template {A}	A: int
// Information	in a template {A}	A: double
template <class T>
void in_template(const cairn::Logger& log, T a) {
  CAIRN_INFORMATION(log, "in a template {A}", a);
}
