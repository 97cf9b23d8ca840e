// What a file says of the log's other files comes to on_internal_error, of every sink, under no lock.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#ifdef CAIRN_HAS_ZLIB
#include <cairn/compression/gzip.hpp>
#endif
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "support/log_folder.hpp"

namespace {
using namespace cairn;
using cairn::testing::LogFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(FileNotes, tell_of_files_that_are_not_the_logs_once_a_start_and_for_each_sink) {
  const LogFolder folder;
  folder.write("a_007.log", "mine");
  folder.write("b_007.log", "mine");
  folder.write("c_007.log", "mine");
  for (int start = 0; start < 2; ++start) {
    std::vector<std::string> told;
    const Logger log = Configuration{}
                           .on_internal_error([&](std::string_view text) { told.emplace_back(text); })
                           .write_to_file(folder.path("a.log"))
                           .write_to_file(folder.path("b.log"), {.retain_files = 0})
                           .write_to_file(folder.path("c.log"), {.max_file_bytes = 0})
                           .create_logger();
    log.information("Nothing");
    log.information("more");
    EXPECT_THAT(told, UnorderedElementsAre(HasSubstr("a_007.log has a name of this log"),
                                           HasSubstr("b_007.log has a name of this log")));
  }
}

TEST(FileNotes, come_when_no_lock_is_held) {
  const LogFolder folder;
  std::function<void()> say;
  int told = 0;
  const Logger log = Configuration{}
                         .on_internal_error([&](std::string_view text) {
                           EXPECT_THAT(std::string(text), HasSubstr("a.log.files"));
                           ++told;
                           say();
                         })
                         .write_to_file(folder.path("a.log"), {.max_file_bytes = 100})
                         .create_logger();
  // Another thread's call must not wait for whoever tells.
  say = [&] { std::thread([&] { log.information("While it is told, {Told}", told); }).join(); };
  std::filesystem::create_directory(folder.path("a.log.files"));
  for (int i = 0; i < 4; ++i) log.information("Event {Number} of a length that makes the file roll at each", i);
  EXPECT_EQ(told, 1);
  (void)log.close();
  std::string all;
  for (const auto& name : folder.names()) all += folder.read(name);
  EXPECT_THAT(all, HasSubstr("While it is told, 1"));
  EXPECT_THAT(all, AllOf(HasSubstr("Event 0"), HasSubstr("Event 3")));
}

#ifdef CAIRN_HAS_ZLIB
TEST(FileNotes, are_none_where_a_process_alone_compresses_its_files) {
  const LogFolder folder;
  use_gzip();
  std::vector<std::string> told;
  const Logger log = Configuration{}
                         .on_internal_error([&](std::string_view text) { told.emplace_back(text); })
                         .write_to_file(folder.path("a.log"), {.max_file_bytes = 200, .compress = Compress::gzip})
                         .create_logger();
  for (int i = 0; i < 300; ++i) log.information("Event {Number} of a length that makes the file roll soon", i);
  (void)log.close();
  EXPECT_THAT(told, IsEmpty());
}
#endif

}  // namespace
