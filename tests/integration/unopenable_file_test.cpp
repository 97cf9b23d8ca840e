// With on_open_failure = retry a file that cannot be opened costs the events that come meanwhile, and heals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <filesystem>

#include "sinks/file_sink.hpp"
#include "support/log_folder.hpp"

namespace {

using cairn::detail::FileSink;
using cairn::testing::LogFolder;
using cairn::testing::ManualClock;
using ::testing::ElementsAre;
using ::testing::Pair;
using namespace std::chrono_literals;

class UnopenableFile : public ::testing::Test {
 protected:
  UnopenableFile() { std::filesystem::create_directory(folder.path("app.log")); }
  [[nodiscard]] std::shared_ptr<FileSink> file() {
    return std::make_shared<FileSink>(
        folder.path("app.log"),
        cairn::FileOptions{.output_template = "{Message}{NewLine}", .on_open_failure = cairn::OnOpenFailure::retry},
        cairn::detail::system_file_ops(), clock);
  }
  static cairn::Configuration quiet() {
    cairn::Configuration config;
    config.on_internal_error([](std::string_view) {});
    return config;
  }
  LogFolder folder;
  ManualClock clock;  // the file's
};

TEST_F(UnopenableFile, with_a_queue_fails_events_and_is_written_once_it_can_be_opened) {
  auto config = quiet();
  config.write_to(file(), "file").with_queue();
  const auto log = config.create_logger();
  for (int i = 0; i < 3; ++i) log.information("event {N}", i);
  (void)log.flush();
  EXPECT_THAT(log.metrics().sinks.at(0).failed, ElementsAre(Pair("other", 3U)));
  std::filesystem::remove(folder.path("app.log"));
  clock.pass(250ms);
  log.information("after");
  (void)log.flush();
  EXPECT_EQ(log.metrics().sinks.at(0).emitted, 1U);
  EXPECT_EQ(folder.read("app.log"), "after\n");
}

TEST_F(UnopenableFile, with_a_fallback_hands_events_to_that) {
  const auto spare = std::make_shared<cairn::MemorySink>();
  auto config = quiet();
  config.write_to(file(), "file").with_queue().with_fallback(cairn::SinkSpec::sink(spare, "spare"));
  const auto log = config.create_logger();
  for (int i = 0; i < 3; ++i) log.information("event {N}", i);
  (void)log.flush();
  EXPECT_EQ(spare->size(), 3U);
}

}  // namespace
