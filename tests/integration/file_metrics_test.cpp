// What a file has to say of itself reaches who looks: its counters in the metrics, its troubles as whole sentences.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <mutex>
#include <nlohmann/json.hpp>

#include "sinks/file_sink.hpp"
#include "support/log_folder.hpp"
#include "support/metrics_support.hpp"
#include "support/scripted_file_ops.hpp"
#include "support/scripted_sink.hpp"

namespace {

using cairn::FileOptions;
using cairn::SinkCounters;
using cairn::detail::FileSink;
using cairn::testing::expect_both_texts_say_the_same;
using cairn::testing::LogFolder;
using cairn::testing::ManualClock;
using cairn::testing::ScriptedFileOps;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

/// What a logger and its queues were told.
struct Heard {
  std::mutex mutex;
  std::vector<std::string> texts;
  void add(std::string_view text) {
    const std::lock_guard lock(mutex);
    texts.emplace_back(text);
  }
  std::vector<std::string> all() {
    const std::lock_guard lock(mutex);
    return texts;
  }
};

class FileMetrics : public ::testing::Test {
 protected:
  cairn::Configuration quiet() {
    cairn::Configuration config;
    config.use_clock(clock).on_internal_error([this](std::string_view what) { told.add(what); });
    return config;
  }
  [[nodiscard]] std::shared_ptr<FileSink> file(const FileOptions& options) {
    return std::make_shared<FileSink>(folder.path("app.log"), options, ops, clock);
  }
  /// What stands in the JSON of a logger's only sink.
  static nlohmann::json counters(const cairn::Logger& log) {
    return nlohmann::json::parse(log.metrics().to_json()).at("sinks").at(0).at("counters");
  }
  LogFolder folder;
  ManualClock clock;
  ScriptedFileOps ops;
  Heard told;
};

TEST_F(FileMetrics, have_every_counter_of_a_file_from_the_start) {
  const auto log = quiet().write_to_file(folder.path("app.log")).create_logger();
  EXPECT_EQ(counters(log), nlohmann::json({{"files_created", 1},
                                           {"rolls", 0},
                                           {"roll_errors", 0},
                                           {"reopened", 0},
                                           {"torn_bytes", 0},
                                           {"external_truncate", 0},
                                           {"durability_lost", 0},
                                           {"files_deleted", 0},
                                           {"retention_errors", 0},
                                           {"files_compressed", 0},
                                           {"compression_errors", 0},
                                           {"buffered_events_lost", 0}}))
      << "the names are stable: docs/metrics.md";
  expect_both_texts_say_the_same(log.metrics());
  EXPECT_THAT(log.metrics().to_prometheus(),
              HasSubstr("cairn_sink_own_total{sink=\"file:" + folder.path("app.log") + "\",counter=\"rolls\"} 0\n"));
}

TEST_F(FileMetrics, tell_of_a_torn_line_and_of_a_file_that_somebody_made_shorter) {
  folder.write("app.log", "whole\ntorn");
  const auto log = quiet().write_to_file(folder.path("app.log")).create_logger();
  EXPECT_EQ(counters(log).at("torn_bytes"), 4);
  log.information("a line");
  folder.write("app.log", "");
  clock.pass(2s);
  log.information("another");
  EXPECT_EQ(counters(log).at("external_truncate"), 1);
  expect_both_texts_say_the_same(log.metrics());
}

TEST_F(FileMetrics, tell_of_rolls_and_of_what_retention_deleted_or_could_not) {
  auto sink = file({.max_file_bytes = 1, .retain_files = 2});
  const auto log = quiet().write_to(sink, "file").create_logger();
  for (int i = 0; i < 4; ++i) log.information("line {I}", i);
  EXPECT_EQ(counters(log).at("rolls"), 3);
  EXPECT_EQ(counters(log).at("files_deleted"), 2);
  ops.fail("unlink", 1, EACCES, true);
  log.information("one more");
  EXPECT_EQ(counters(log).at("retention_errors"), 2) << "the oldest, and the one after it";
  EXPECT_THAT(log.metrics().sinks[0].counters, Contains(Pair("files_created", 5)));
}

TEST_F(FileMetrics, tell_of_a_sync_that_failed_and_say_so_in_a_sentence) {
  const auto log = quiet()
                       .write_to(file({.durable = cairn::Durable::batch}), "file")
                       .with_fallback(cairn::SinkSpec::null())
                       .create_logger();
  ops.fail("fdatasync", 1, EIO);
  log.information("a line");
  EXPECT_EQ(counters(log).at("durability_lost"), 1);
  EXPECT_EQ(log.metrics().sink("file")->last_error, "cannot sync " + folder.path("app.log") + ": Input/output error");
}

TEST_F(FileMetrics, of_a_closed_logger_still_have_what_its_file_counted) {
  auto log = quiet().write_to_file(folder.path("app.log")).create_logger();
  (void)log.shutdown(cairn::ShutdownStrategy::graceful(2s));
  EXPECT_EQ(counters(log).at("files_created"), 1);
}

TEST_F(FileMetrics, begin_anew_with_a_reset_and_keep_their_names) {
  auto log = quiet().write_to(file({.max_file_bytes = 1}), "file").create_logger();
  log.information("one");
  log.information("two");
  log.reset_metrics();
  EXPECT_EQ(counters(log).at("rolls"), 0);
  EXPECT_EQ(counters(log).size(), 12U);
  log.information("three");
  EXPECT_EQ(counters(log).at("rolls"), 1);
}

/// Counts its calls.
struct CountingSink final : cairn::Sink {
  enum : std::size_t { calls, never };
  std::shared_ptr<SinkCounters> counters() noexcept override { return counters_; }
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    counters_->add(calls);
    return cairn::EmitResult::all(events);
  }
  std::shared_ptr<SinkCounters> counters_ = SinkCounters::named({"calls", "never"});
};

TEST_F(FileMetrics, show_the_counters_of_any_sink_that_has_some) {
  const auto log = quiet().write_to(std::make_shared<CountingSink>(), "own").write_to_null().create_logger();
  for (int i = 0; i < 3; ++i) log.information("line {I}", i);
  EXPECT_THAT(log.metrics().sink("own")->counters, ElementsAre(Pair("calls", 3U), Pair("never", 0U)));
  EXPECT_TRUE(log.metrics().sink("null")->counters.empty());
  expect_both_texts_say_the_same(log.metrics());
}

TEST(SinkCounters, need_names_of_their_own) {
  EXPECT_THROW((void)SinkCounters::named({"a", ""}), std::invalid_argument);
  EXPECT_THROW((void)SinkCounters::named({"a", "b", "a"}), std::invalid_argument);
  EXPECT_EQ(SinkCounters::named({"a", "b"})->name(1), "b");
}

TEST_F(FileMetrics, keep_the_whole_sentence_of_a_write_that_failed) {
  ops.space = 0;
  const auto log = quiet().write_to(file({}), "file").create_logger();
  log.information("no room");
  const std::string sentence = "cannot write to " + folder.path("app.log") + ": No space left on device";
  EXPECT_EQ(log.metrics().sink("file")->last_error, sentence);
  EXPECT_THAT(told.all(), Contains(HasSubstr(sentence)));
}

TEST_F(FileMetrics, keep_the_whole_sentence_of_a_queued_file_and_tell_on_error) {
  Heard heard;
  ops.space = 0;
  auto log = quiet()
                 .write_to(file({}), "file")
                 .with_queue({.on_error =
                                  [&](std::string_view sink, std::string_view what) {
                                    heard.add(std::string(sink) + ": " + std::string(what));
                                  }})
                 .create_logger();
  log.information("no room");
  (void)log.shutdown(cairn::ShutdownStrategy::flush_pending());
  const std::string sentence = "cannot write to " + folder.path("app.log") + ": No space left on device";
  EXPECT_EQ(log.metrics().sink("file")->last_error, sentence);
  // From a thread of its own, which may come to it later.
  EXPECT_TRUE(cairn::testing::comes_true([&] { return !heard.all().empty(); }));
  EXPECT_THAT(heard.all(), Contains("file: " + sentence));
}

TEST_F(FileMetrics, keep_the_whole_sentence_of_a_buffer_that_cannot_be_flushed) {
  auto log = quiet().write_to(file({.buffered = true}), "file").create_logger();
  log.information("no room");
  ops.space = 0;
  const cairn::FlushResult flushed = log.flush(1s);
  const std::string sentence = "cannot write to " + folder.path("app.log") + ": No space left on device";
  EXPECT_EQ(flushed.sinks.at(0).error, sentence);
  EXPECT_EQ(log.metrics().sink("file")->last_error, sentence);
  ops.space = UINT64_MAX;
}

TEST_F(FileMetrics, keep_the_whole_sentence_of_a_file_that_cannot_be_opened_again) {
  auto log = quiet().write_to(file({}), "file").create_logger();
  log.information("a line");
  ops.fail("open", 1, EACCES, true);
  log.reopen();
  EXPECT_THAT(log.metrics().sink("file")->last_error,
              AllOf(HasSubstr("cannot open"), HasSubstr(folder.path()), HasSubstr("Permission denied")));
}

}  // namespace
