// What tests of crash rings share: processes that leave one, and what the next start makes of it.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cairn/all.hpp>
#include <cairn/memory_sink.hpp>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "support/in_child.hpp"
#include "support/log_folder.hpp"

namespace cairn::testing {

/// Takes events and never says so.
class HungSink final : public Sink {
 public:
  EmitResult emit(std::span<const Event>) override {
    for (;;) ::pause();
  }
};

inline Configuration with_ring(const LogFolder& folder, std::shared_ptr<Sink> sink) {
  Configuration config;
  config.write_to(std::move(sink), "sink").with_queue();
  config.with_crash_ring({.application = "app", .folder = folder.path()});
  return config;
}

inline std::string ring_folder(const LogFolder& folder) { return folder.path("app-" + std::to_string(::geteuid())); }

inline std::vector<std::string> rings_in(const LogFolder& folder) {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(ring_folder(folder), none))
    names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

/// A process that logs `events` to a sink that takes none, and is killed.
inline void leave_events(const LogFolder& folder, int events) {
  ASSERT_EQ(in_child([&] {
              const auto log = with_ring(folder, std::make_shared<HungSink>()).create_logger();
              for (int i = 0; i < events; ++i) log.information("{N} of the dead", i);
              ::kill(::getpid(), SIGKILL);
              return 0;
            }),
            128 + SIGKILL);
}

/// What the next start delivers.
inline std::vector<std::string> recover(const LogFolder& folder, const std::function<void(Configuration&)>& more = {}) {
  const auto sink = std::make_shared<MemorySink>();
  Configuration config = with_ring(folder, sink);
  if (more) more(config);
  {
    const auto log = config.create_logger();
    log.close();
  }
  std::vector<std::string> lines;
  for (const auto& event : sink->events()) lines.push_back(to_clef(event.view()));
  return lines;
}

#ifdef CAIRN_RECOVER
/// What cairn-recover says, and how it ends.
inline int run_recover(const std::string& arguments) {
  const int status = std::system((CAIRN_RECOVER " " + arguments).c_str());
  return WEXITSTATUS(status);
}
#endif

}  // namespace cairn::testing
