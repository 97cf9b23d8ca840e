// What a logger writes to and does not own: a stream, a descriptor, a callback's captures. They may end right after the
// last handle; and several loggers may write to one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <sstream>
#include <thread>

#include "support/gate_sink.hpp"
#include "support/log_folder.hpp"

namespace {

using namespace std::chrono_literals;
using cairn::testing::LogFolder;
using testing::HasSubstr;

constexpr int events = 500;

TEST(LentOutputs, are_complete_and_let_go_when_the_last_handle_is_gone) {
  for (int round = 0; round < 50; ++round) {
    std::ostringstream stream;
    int called = 0;
    {
      auto log = cairn::Configuration{}
                     .write_to_stream(stream, {.output_template = "{Message}\n"})
                     .with_queue()
                     .write_to_callback([&](const cairn::Event&) { ++called; })
                     .with_queue()
                     .create_logger();
      for (int i = 0; i < events; ++i) log.information("{I}", i);
    }
    EXPECT_EQ(called, events);
    EXPECT_THAT(stream.str(), testing::EndsWith("498\n499\n"));
  }
}

TEST(LentOutputs, of_a_descriptor_leave_it_alone_when_the_last_handle_is_gone) {
  for (int round = 0; round < 50; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    std::atomic<bool> closed{false};
    std::thread reader([&] {
      char bytes[4096];
      while (::read(ends[0], bytes, sizeof bytes) > 0) {
      }
      closed = true;
    });
    {
      auto log = cairn::Configuration{}.write_to_descriptor(ends[1]).with_queue().create_logger();
      for (int i = 0; i < events; ++i) log.information("{I}", i);
    }
    ::close(ends[1]);  // were it written to now, another file could have its number
    reader.join();
    EXPECT_TRUE(closed);
    ::close(ends[0]);
  }
}

TEST(LentOutputs, of_a_fallback_are_waited_for_too) {
  std::ostringstream stream;
  const auto gate = std::make_shared<cairn::testing::GateSink>();
  std::promise<void> letting_go;
  auto ended = std::async(std::launch::async, [&] {
    auto log = cairn::Configuration{}
                   .write_to(gate)
                   .with_queue()
                   .with_fallback(cairn::SinkSpec::stream(stream))
                   .create_logger();
    log.information("held");
    (void)gate->wait_inside();
    letting_go.set_value();
  });
  letting_go.get_future().wait();
  EXPECT_EQ(ended.wait_for(20ms), std::future_status::timeout) << "the sink before it has not come back";
  gate->open();
  ended.get();
}

/// Counts calls that overlap.
class Watched final : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event> batch) override {
    if (inside_.exchange(true)) ++overlaps;
    total += batch.size();
    std::this_thread::yield();
    inside_ = false;
    return cairn::EmitResult::all(batch);
  }
  std::atomic<int> overlaps{0};
  std::atomic<std::size_t> total{0};

 private:
  std::atomic<bool> inside_{false};
};

TEST(SharedOutputs, of_two_loggers_are_called_in_turns) {
  const auto sink = std::make_shared<Watched>();
  std::ostringstream stream;
  cairn::Configuration config;
  config.write_to(sink).write_to_stream(stream, {.output_template = "{Message}\n"});
  const auto one = config.create_logger();
  const auto other = config.create_logger();
  const auto queued =
      cairn::Configuration{}.write_to(sink).with_queue({.overflow = cairn::Overflow::block}).create_logger();
  std::vector<std::thread> threads;
  for (const cairn::Logger& log : {one, other, queued}) {
    threads.emplace_back([log] {
      for (int i = 0; i < 20'000; ++i) log.information("0123456789");
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_EQ(queued.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(sink->overlaps, 0);
  EXPECT_EQ(sink->total, 60'000U);
  const std::string text = stream.str();
  ASSERT_EQ(text.size(), 40'000U * 11);
  for (std::size_t at = 0; at < text.size(); at += 11) ASSERT_EQ(text.substr(at, 11), "0123456789\n");
}

/// Logs what it gets, to another logger.
class Forwarding final : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event> batch) override {
    to.information("again");
    return cairn::EmitResult::all(batch);
  }
  cairn::Logger to;
};

TEST(SharedOutputs, that_log_to_another_logger_which_writes_to_them_fail_that_event_and_do_not_hang) {
  const auto sink = std::make_shared<Forwarding>();
  cairn::Configuration config;
  config.on_internal_error([](std::string_view) {}).write_to(sink, "both");
  auto log = config.create_logger();
  sink->to = config.create_logger();
  log.information("once");
  EXPECT_EQ(log.metrics().sink("both")->emitted, 1U);
  EXPECT_EQ(sink->to.metrics().sink("both")->failed_total(), 1U);
  EXPECT_THAT(sink->to.metrics().sink("both")->last_error, HasSubstr("deadlock"));
  sink->to = {};
}

}  // namespace
