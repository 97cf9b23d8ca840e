// A sink that fails until it is told to be well, and writes with nothing held back from then on.
#pragma once

#include <atomic>
#include <cairn/all.hpp>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace cairn::testing {

/// Writes the property `N` of each event to a file, a line each, as soon as it may.
struct NumberFileSink final : Sink {
  explicit NumberFileSink(std::string to) : path(std::move(to)) {}
  std::string path;
  std::atomic<bool> fails{true};
  EmitResult emit(std::span<const Event> events) override {
    if (fails) throw std::runtime_error("no");
    std::ofstream out(path, std::ios::app);
    for (const Event& event : events) out << *event.property("N")->as_int64() << std::endl;
    return EmitResult::all(events);
  }
};

}  // namespace cairn::testing
