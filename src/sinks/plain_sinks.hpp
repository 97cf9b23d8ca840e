// The sinks that need no file: nothing, and a function.
#pragma once

#include <functional>

#include "cairn/sink.hpp"

namespace cairn::detail {

class NullSink final : public Sink {
 public:
  EmitResult emit(std::span<const Event> events) override { return EmitResult::all(events); }
};

class CallbackSink final : public Sink {
 public:
  explicit CallbackSink(std::function<void(const Event&)> callback) : callback_(std::move(callback)) {}
  EmitResult emit(std::span<const Event> events) override {
    for (const Event& event : events) callback_(event);
    return EmitResult::all(events);
  }

 private:
  std::function<void(const Event&)> callback_;
};

}  // namespace cairn::detail
