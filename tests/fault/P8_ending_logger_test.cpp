// P8: a fork at the very moment at which a logger ends in the background.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cairn/all.hpp>
#include <vector>

#include "support/in_child.hpp"

namespace {

TEST(P8Fork, while_loggers_end_in_the_background_harms_neither) {
  for (int round = 0; round < 10; ++round) {
    std::vector<cairn::Logger> loggers;
    for (int i = 0; i < 20; ++i) {
      cairn::Configuration config;
      config.write_to_null().with_queue();
      loggers.push_back(config.create_logger());
      loggers.back().information("{N}", i);
    }
    loggers.clear();  // their ends go on behind our back, one after the other
    for (int fork = 0; fork < 20; ++fork) ASSERT_EQ(cairn::testing::in_child([] { return 0; }), 0);
  }
}

}  // namespace
