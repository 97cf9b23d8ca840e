// Everything: logging, configuring, every type, the catalogue. Not here is what needs headers of others:
// <cairn/types/fmt.hpp> ({fmt}), <cairn/testing.hpp> (GoogleMock), and the components' own (<cairn/compression/…>).
#pragma once

#include "cairn/cairn.hpp"
#include "cairn/catalog.hpp"
#include "cairn/circuit_breaker.hpp"
#include "cairn/configuration.hpp"
#include "cairn/latency_histogram.hpp"
#include "cairn/log_context.hpp"
#include "cairn/memory_sink.hpp"
#include "cairn/render.hpp"
#include "cairn/types/ostream.hpp"
#include "cairn/types/thread_id.hpp"
