// Tests whose process forks while threads of it are at work.
#pragma once

#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <string_view>

#include "support/sanitizers.hpp"

namespace cairn::testing {

class ForkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (children_of_threads_hang) GTEST_SKIP() << "a child may hang in the sanitizer itself";
  }
  static Configuration quiet() {
    Configuration config;
    config.on_internal_error([](std::string_view) {});
    return config;
  }
};

}  // namespace cairn::testing
