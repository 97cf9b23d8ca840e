// What a file that logs includes: Logger, the process-wide functions, the macros, the context. Configuring is
// <cairn/configuration.hpp>; everything at once is <cairn/all.hpp>.
//
//   cairn::information("Started {Name} with {Workers} workers", name, workers);
#pragma once

#include "cairn/capture.hpp"
#include "cairn/level.hpp"
#include "cairn/logger.hpp"
#include "cairn/macros.hpp"
