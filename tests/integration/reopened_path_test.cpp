// A logger may be made on the path of one that is just ending: it waits for the file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <chrono>
#include <future>
#include <memory>

#include "support/gate_sink.hpp"
#include "support/log_folder.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::testing::GateSink;
using cairn::testing::LogFolder;
using testing::ElementsAre;
using testing::HasSubstr;

/// A logger on `path` that cannot end before the gate is opened: the last handle is gone when this returns.
void leave_draining(const std::string& path, const std::shared_ptr<GateSink>& gate) {
  auto log = cairn::Configuration{}
                 .write_to(gate)
                 .with_queue()
                 .with_fallback(cairn::SinkSpec::file(path))  // closed after the sink it stands behind
                 .create_logger();
  log.information("first");
  (void)gate->wait_inside();
}

std::variant<cairn::Logger, cairn::ConfigurationError> second_on(const std::string& path) {
  return cairn::Configuration{}.write_to_file(path, {.output_template = "{Message}{NewLine}"}).try_create_logger();
}

TEST(ReopenedPath, is_waited_for_while_the_logger_that_has_it_drains_in_the_background) {
  const LogFolder folder;
  const std::string path = folder.path("app.log");
  const auto gate = std::make_shared<GateSink>();
  leave_draining(path, gate);
  auto second = std::async(std::launch::async, [&] { return second_on(path); });
  EXPECT_EQ(second.wait_for(50ms), std::future_status::timeout) << "the file is held, and nobody gave up";
  gate->open();
  auto made = second.get();
  ASSERT_TRUE(std::holds_alternative<cairn::Logger>(made)) << std::get<cairn::ConfigurationError>(made).what();
  std::get<cairn::Logger>(made).information("second");
  EXPECT_THAT(folder.lines(), ElementsAre("second"));
}

TEST(ReopenedPath, is_held_at_once_by_a_logger_that_is_not_ending) {
  const LogFolder folder;
  const std::string path = folder.path("app.log");
  auto first = cairn::Configuration{}.write_to_file(path).with_queue().create_logger();
  const auto before = std::chrono::steady_clock::now();
  const auto made = second_on(path);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 4s) << "nothing is to be waited for";
  ASSERT_TRUE(std::holds_alternative<cairn::ConfigurationError>(made));
  EXPECT_THAT(std::get<cairn::ConfigurationError>(made).what(), HasSubstr("open in this process already"));
}

TEST(ReopenedPath, is_not_waited_for_by_the_thread_that_drains) {
  const LogFolder folder;
  const std::string path = folder.path("app.log");
  // A callback of a queue runs on the thread that ends loggers: a wait there could only time out.
  std::promise<std::chrono::steady_clock::duration> refused_after;
  auto log = cairn::Configuration{}
                 .write_to_callback([](const cairn::Event&) { throw std::runtime_error("no"); })
                 .with_queue({.on_error =
                                  [&](std::string_view, std::string_view) {
                                    const auto gate = std::make_shared<GateSink>();
                                    leave_draining(path, gate);
                                    const auto before = std::chrono::steady_clock::now();
                                    const auto made = second_on(path);
                                    const auto took = std::chrono::steady_clock::now() - before;
                                    gate->open();
                                    const bool refused = std::holds_alternative<cairn::ConfigurationError>(made);
                                    refused_after.set_value(refused ? took : std::chrono::hours(1));
                                  }})
                 .create_logger();
  log.information("x");
  EXPECT_LT(refused_after.get_future().get(), 4s);
  const auto made = second_on(path);  // by another thread: it is
  EXPECT_TRUE(std::holds_alternative<cairn::Logger>(made));
}

}  // namespace
