// The second file of the sample: uses the same header, and has a function of the same name as the first.
#include "sample.hpp"

void run_sample(const cairn::Logger& log, int argument);

// Information	of second {A}	A: int
static void of_each_file(const cairn::Logger& log, int a) { CAIRN_INFORMATION(log, "of second {A}", a); }

void run_both(const cairn::Logger& log, int argument) {
  run_sample(log, argument);
  in_header(log, argument);
  in_template(log, argument);
  of_each_file(log, argument);
}

#ifndef SAMPLE_IS_LIBRARY
int main(int count, char**) { run_both(cairn::log(), count); }
#endif
