// A callback of the program's that does not return is its own trouble: others are called, and loggers end.
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <memory>
#include <semaphore>
#include <stdexcept>
#include <thread>

#include "support/log_folder.hpp"

namespace {
using namespace cairn;
using namespace std::chrono_literals;

/// Fails what it is given, so that `on_error` is called.
class Failing final : public Sink {
  EmitResult emit(std::span<const Event>) override { throw std::runtime_error("no"); }
};

class HungCallback : public ::testing::Test {
 protected:
  void SetUp() override {
    Configuration config;
    config.write_to(std::make_shared<Failing>(), "hangs").with_queue({.on_error = [this](auto, auto) {
      hangs.release();
      let_go.acquire();
      ended.release();
    }});
    log = config.create_logger();
    log.information("one");
    hangs.acquire();
  }
  void TearDown() override {
    let_go.release();
    ended.acquire();
  }
  std::binary_semaphore hangs{0};
  std::binary_semaphore let_go{0};
  std::binary_semaphore ended{0};
  Logger log;
};

TEST_F(HungCallback, holds_up_no_other) {
  std::counting_semaphore<> called{0};
  Configuration config;
  config.write_to(std::make_shared<Failing>(), "tells").with_queue({.on_error = [&](auto, auto) { called.release(); }});
  const Logger other = config.create_logger();
  other.information("two");
  EXPECT_TRUE(called.try_acquire_for(30s));
}

TEST_F(HungCallback, holds_up_no_loggers_end) {
  const cairn::testing::LogFolder folder;
  const std::string path = folder.path("a.log");
  {
    Configuration config;
    config.write_to_file(path).with_queue();
    config.create_logger().information("its last handle goes");
  }
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  const auto ends = [&] { return !folder.exists("a.log.lock"); };
  while (!ends() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(ends());
  EXPECT_NE(folder.read("a.log").find("its last handle goes"), std::string::npos);
}

}  // namespace
