// Everything: logging, configuring, every type, tests' helpers. {fmt}'s types are in <cairn/types/fmt.hpp>, which needs
// its headers.
#pragma once

#include "cairn/cairn.hpp"
#include "cairn/circuit_breaker.hpp"
#include "cairn/configuration.hpp"
#include "cairn/latency_histogram.hpp"
#include "cairn/log_context.hpp"
#include "cairn/memory_sink.hpp"
#include "cairn/render.hpp"
#include "cairn/types/ostream.hpp"
#include "cairn/types/thread_id.hpp"
