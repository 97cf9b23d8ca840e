// A program that was started without standard input, output and error: what it prints must not land in the log.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cairn/all.hpp>
#include <sstream>

#include "support/in_child.hpp"
#include "support/log_folder.hpp"

namespace {

using cairn::testing::in_child;
using cairn::testing::LogFolder;
using testing::ElementsAre;

void close_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) ::close(fd);
}

/// How many of 0, 1 and 2 are open.
int open_standard_descriptors() {
  int open = 0;
  for (int fd = 0; fd <= 2; ++fd) open += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
  return open;
}

bool print(const std::string& text) {
  bool printed = false;
  for (int fd = 0; fd <= 2; ++fd) printed = ::write(fd, text.data(), text.size()) >= 0 || printed;
  return printed;
}

TEST(ClosedStandardDescriptors, are_not_taken_by_a_file_nor_by_its_lock) {
  const LogFolder folder;
  EXPECT_EQ(in_child([&] {
              close_standard_descriptors();
              const auto log =
                  cairn::Configuration{}
                      .write_to_file(folder.path("a.log"),
                                     {.output_template = "{Message}{NewLine}", .max_file_bytes = 12, .shared = true})
                      .create_logger();
              log.information("first");
              if (print("what the program prints\n")) return 1;
              log.information("second");  // in the next file
              if (print("what the program prints\n")) return 2;
              log.reopen();
              log.information("third");
              return open_standard_descriptors();
            }),
            0);
  EXPECT_THAT(folder.lines(), ElementsAre("first", "second", "third"));
  EXPECT_EQ(folder.read("a.log.lock").find("program"), std::string::npos);
}

TEST(ClosedStandardDescriptors, are_not_taken_by_a_crash_ring_nor_by_a_crash_file) {
  const LogFolder folder;
  EXPECT_EQ(in_child([&] {
              close_standard_descriptors();
              const auto log = cairn::Configuration{}
                                   .with_crash_ring({.application = "app", .folder = folder.path()})
                                   .handle_fatal_signals({.crash_file = folder.path("crash.clef")})
                                   .write_to_null()
                                   .with_queue()
                                   .create_logger();
              log.information("an event, for which there is a ring");
              if (log.metrics().logger.crash_ring != "on") return 10;
              return open_standard_descriptors();
            }),
            0);
  EXPECT_EQ(folder.read("crash.clef"), "");
}

}  // namespace
