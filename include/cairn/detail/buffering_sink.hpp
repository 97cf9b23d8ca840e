// A sink that counts events as written while it still holds them: what it cannot hand over when it is closed is told,
// not lost without a word. It may have more to say than what became of events.
#pragma once

#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "cairn/sink.hpp"

namespace cairn::detail {

class BufferingSink : public Sink {
 public:
  /// The last call before the destructor: hands over what is held, and gives up what cannot be. An error: that is
  /// lost; describe() says how much.
  [[nodiscard]] virtual std::error_code close() noexcept = 0;

  /// May this error of emit() pass, so that a queue keeps the events and brings them again? It knows better than the
  /// rule for all sinks (fail_reason.hpp).
  [[nodiscard]] virtual bool may_pass(std::error_code error) const noexcept = 0;

  /// What is to be told besides, in sentences, since it was last asked: for whoever calls the sink, once no lock is
  /// held. From the thread that calls it.
  [[nodiscard]] std::vector<std::string> take_notes() noexcept { return std::exchange(notes_, {}); }
  [[nodiscard]] bool has_notes() const noexcept { return !notes_.empty(); }

 protected:
  /// They wait until they are taken; where there is no memory for that they are dropped.
  void add_notes(std::vector<std::string> notes) noexcept try {
    for (std::string& note : notes) notes_.push_back(std::move(note));
  } catch (...) {
  }

 private:
  std::vector<std::string> notes_;
};

}  // namespace cairn::detail
