// In which order a shutdown closes: a fallback stays open as long as the sink before it may hand something on.
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
#include <chrono>
#include <future>
#include <memory>

namespace {

using namespace std::chrono_literals;

/// Counts what it takes, and tells when it is closed.
class Fallback final : public cairn::Sink {
 public:
  Fallback(std::promise<void>& closed, std::atomic<int>& taken) : closed_(closed), taken_(taken) {}
  ~Fallback() override { closed_.set_value(); }
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    taken_ += static_cast<int>(events.size());
    return cairn::EmitResult::all(events);
  }

 private:
  std::promise<void>& closed_;
  std::atomic<int>& taken_;
};

/// Fails once the fallback is closed, or after a moment in which it might have been.
class Primary final : public cairn::Sink {
 public:
  explicit Primary(std::future<void> closed) : closed_(std::move(closed)) {}
  cairn::EmitResult emit(std::span<const cairn::Event>) override {
    closed_.wait_for(200ms);
    return {.error = std::make_error_code(std::errc::connection_refused)};
  }

 private:
  std::future<void> closed_;
};

TEST(LoggerShutdown, keeps_a_fallback_open_while_the_sink_before_it_hands_on) {
  std::promise<void> closed;
  std::atomic<int> taken{0};
  auto primary = std::make_shared<Primary>(closed.get_future());
  auto fallback = std::make_shared<Fallback>(closed, taken);
  const auto log = cairn::Configuration{}
                       .on_internal_error([](std::string_view) {})
                       .write_to(std::move(primary), "primary")
                       .with_queue()
                       .with_fallback(cairn::SinkSpec::sink(std::move(fallback), "fallback").with_queue())
                       .create_logger();
  log.information("last words");
  const auto report = log.shutdown(cairn::ShutdownStrategy::graceful(1min));
  EXPECT_EQ(report.status, cairn::ShutdownStatus::completed);
  EXPECT_EQ(report.sink("primary")->diverted, 1U);
  EXPECT_EQ(report.sink("fallback")->emitted, 1U);
  EXPECT_EQ(taken, 1);
}

}  // namespace
