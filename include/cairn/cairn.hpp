// What a file that logs includes: Logger, the process-wide functions, the macros. The context is
// <cairn/log_context.hpp>, configuring <cairn/configuration.hpp>, what flush() and close() give <cairn/metrics.hpp>;
// everything at once is <cairn/all.hpp>.
//
//   cairn::information("Started {Name} with {Workers} workers", name, workers);
#pragma once

#include "cairn/capture.hpp"
#include "cairn/level.hpp"
#include "cairn/logger.hpp"
#include "cairn/macros.hpp"
