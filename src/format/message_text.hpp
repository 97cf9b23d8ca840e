// The message of an event as text, and its holes one by one: what every formatter shares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cairn/event.hpp"
#include "cairn/output_buffer.hpp"
#include "cairn/rendering.hpp"
#include "template/bound_template.hpp"

namespace cairn::detail {

/// What a run of a rendered message is, for those who colour it.
enum class RunKind : std::uint8_t { text, string, number, boolean, null, scalar, container, unbound };

/// Told where a run of a message begins and ends, so that colours can be put around it.
class RunListener {
 public:
  virtual ~RunListener() = default;
  virtual void begin(OutputBuffer& out, RunKind kind) = 0;
  virtual void end(OutputBuffer& out, RunKind kind) = 0;
};

/// Appends the event's message.
void append_message(OutputBuffer& out, const Event& event, Rendering rendering, bool escape,
                    RunListener* listener = nullptr);

/// Appends one hole of the message, with its alignment.
void append_hole(OutputBuffer& out, const Event& event, std::size_t segment, Rendering rendering, bool escape);

/// The arguments of an event, on the stack where they are few.
class Arguments {
 public:
  explicit Arguments(const Event& event) {
    const std::size_t count = event.bound_template().types().size();
    if (count > few) many_.resize(count);
    values_ = count > few ? many_.data() : reinterpret_cast<Value*>(few_);
    event.arguments_into(values_);
  }
  [[nodiscard]] const Value& operator[](std::size_t index) const noexcept { return values_[index]; }

 private:
  static constexpr std::size_t few = 16;
  alignas(Value) std::byte few_[few * sizeof(Value)];  // not initialised: arguments_into writes what is read
  std::vector<Value> many_;
  Value* values_ = nullptr;
};

}  // namespace cairn::detail
