// What tests of the process's memory budget share.
#pragma once

#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <thread>

#include "pipeline/process_memory.hpp"
#include "support/queue_tests.hpp"

namespace cairn::testing {

inline constexpr std::uint64_t MiB = 1 << 20;

inline std::uint64_t dropped(const std::map<std::string, std::uint64_t>& by_reason, const std::string& reason) {
  const auto at = by_reason.find(reason);
  return at == by_reason.end() ? 0 : at->second;
}

inline std::uint64_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long size = 0;
  unsigned long resident = 0;
  EXPECT_EQ(std::fscanf(file, "%lu %lu", &size, &resident), 2);
  std::fclose(file);
  return resident * 4096;
}

/// The loggers of tests before are gone, their budgets, and what they took.
class Alone : public ::testing::Test {
 protected:
  void SetUp() override {
    MemoryBudget& memory = detail::process_memory();
    while (memory.max_bytes() != MemoryBudget::unlimited) std::this_thread::yield();
    {
      const auto log = quiet().memory_budget({.max_bytes = MiB}).write_to_null().with_queue().create_logger();
      while (log.metrics().logger.dispatched == 0) {  // this thread's lanes of loggers that are gone go
        log.information("one of its own");
        ASSERT_EQ(log.flush(std::chrono::seconds(60)).status, FlushStatus::ok);
      }
      while (!memory.trim()) std::this_thread::yield();
    }
    while (memory.max_bytes() != MemoryBudget::unlimited) std::this_thread::yield();
  }
};

}  // namespace cairn::testing
