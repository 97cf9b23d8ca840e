// A level that can be changed while the program runs, shared by every logger configured with it.
//
//   cairn::LevelSwitch level(cairn::Level::information);
//   auto log = cairn::Configuration{}.minimum_level(level).write_to_console().create_logger();
//   level.set(cairn::Level::debug);                                  // from any thread, at any time
//
// A handle: copies act on the same switch. A change is seen by other threads' calls soon after, without any lock on
// their path.
#pragma once

#include <memory>

#include "cairn/level.hpp"

namespace cairn {

namespace detail {
struct LevelSwitchState;
}

class LevelSwitch {
 public:
  explicit LevelSwitch(Level level = Level::information);
  [[nodiscard]] Level level() const noexcept;
  void set(Level level) noexcept;
  [[nodiscard]] const std::shared_ptr<detail::LevelSwitchState>& state() const noexcept { return state_; }

 private:
  std::shared_ptr<detail::LevelSwitchState> state_;
};

}  // namespace cairn
