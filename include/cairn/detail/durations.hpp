// Durations, points in time and clocks of <chrono>, without its calendars: with libstdc++ these bring the string
// streams along, which cost each file that logs as much as the rest of its includes. Who uses a calendar includes
// <chrono>.
#pragma once

#if __has_include(<bits/chrono.h>)
#include <bits/chrono.h>
#else
#include <chrono>
#endif
