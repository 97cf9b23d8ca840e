// A sink that counts events as written while it still holds them: what it cannot hand over when it is closed is told,
// not lost without a word.
#pragma once

#include <system_error>

#include "cairn/sink.hpp"

namespace cairn::detail {

class BufferingSink : public Sink {
 public:
  /// The last call before the destructor: hands over what is held, and gives up what cannot be. An error: that is
  /// lost; describe() says how much.
  [[nodiscard]] virtual std::error_code close() noexcept = 0;
};

}  // namespace cairn::detail
