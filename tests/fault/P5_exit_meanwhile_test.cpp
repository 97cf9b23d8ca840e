// P5, P10: a program that exits while a shutdown that a signal asked for is still under way.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <cairn/signals.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "support/in_child.hpp"
#include "support/log_folder.hpp"

namespace {

using namespace std::chrono_literals;

std::atomic<bool> exiting{false};

TEST(P5ShutdownAtExit, waits_for_the_one_that_a_signal_asked_for) {
  const cairn::testing::LogFolder folder;
  EXPECT_EQ(cairn::testing::in_child([&]() -> int {
              ::alarm(60);
              auto& log =
                  *new cairn::Logger(cairn::Configuration{}
                                         .write_to_callback([&](const cairn::Event&) {
                                           while (!exiting) std::this_thread::yield();
                                           std::this_thread::sleep_for(50ms);  // a program that does not wait is gone
                                           folder.write("taken", "");
                                         })
                                         .with_queue()
                                         .create_logger());
              std::atexit([] { exiting = true; });  // before the hook, which came first
              cairn::start_signal_thread();
              std::signal(SIGTERM, [](int) { cairn::request_shutdown_from_signal(); });
              log.information("last words");
              std::raise(SIGTERM);
              while (log.is_enabled(cairn::Level::fatal)) std::this_thread::yield();
              std::exit(7);
            }),
            7);
  EXPECT_TRUE(folder.exists("taken"));
}

}  // namespace
