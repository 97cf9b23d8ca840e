#include "sinks/shared_sink.hpp"

namespace cairn::detail {

SharedSink::SharedSink(std::shared_ptr<Sink> sink)
    : turns_(OutputTurns::of_object(sink.get())), sink_(std::move(sink)) {}

SharedSink::SharedSink(std::shared_ptr<Sink> sink, const std::ostream& stream)
    : turns_(OutputTurns::of_object(&stream)), sink_(std::move(sink)) {}

EmitResult SharedSink::emit(std::span<const Event> events) {
  const OutputTurn turn(*turns_);
  no_turn_ = turn.error();
  return no_turn_ ? EmitResult{0, 0, no_turn_} : sink_->emit(events);
}

std::error_code SharedSink::flush(std::chrono::steady_clock::time_point deadline) {
  const OutputTurn turn(*turns_, deadline);
  no_turn_ = turn.error();
  return no_turn_ ? no_turn_ : sink_->flush(deadline);
}

std::optional<std::error_code> SharedSink::reopen_by(std::chrono::steady_clock::time_point deadline) {
  const OutputTurn turn(*turns_, deadline);
  no_turn_ = turn.error();
  if (no_turn_ == std::errc::timed_out) return std::nullopt;
  return no_turn_ ? no_turn_ : sink_->reopen();
}

std::string SharedSink::describe(std::error_code error) const {
  if (!no_turn_) return sink_->describe(error);
  return no_turn_ == std::errc::timed_out ? "another logger's call into it has not ended"
                                          : "it was called by itself, through another logger: that would be a deadlock";
}

}  // namespace cairn::detail
