// Outputs that cannot be what they are told to be: each mistake is named, with what was found and what is taken.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cairn/all.hpp>
#ifdef CAIRN_HAS_ZSTD
#include <cairn/compression/zstd.hpp>
#endif
#include <sstream>

#include "support/log_folder.hpp"

namespace {

using cairn::testing::LogFolder;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::vector<std::string> problems_of(const cairn::Configuration& configuration) {
  auto made = configuration.try_create_logger();
  if (const auto* error = std::get_if<cairn::ConfigurationError>(&made)) return error->problems();
  return {};
}

template <class Enum>
Enum beyond() {
  return static_cast<Enum>(17);
}

TEST(ConfigurationOutputs, every_enumeration_of_a_file_outside_its_values_is_named_all_at_once) {
  const LogFolder folder;
  EXPECT_THAT(
      problems_of(cairn::Configuration{}
                      .write_to_file(folder.path("app.log"), {.format = beyond<cairn::FileFormat>(),
                                                              .rendering = beyond<cairn::Rendering>(),
                                                              .rolling = beyond<cairn::Rolling>(),
                                                              .time_zone = beyond<cairn::TimeZone>(),
                                                              .durable = beyond<cairn::Durable>(),
                                                              .compress = beyond<cairn::Compress>(),
                                                              .on_open_failure = beyond<cairn::OnOpenFailure>()})
                      .with_name("f")),
      ElementsAre("sink f: format: 17; it takes by_extension, text or clef",
                  "sink f: rendering: 17; it takes literal or classic",
                  "sink f: rolling: 17; it takes none, year, month, day, hour or minute",
                  "sink f: time_zone: 17; it takes utc or local", "sink f: durable: 17; it takes none or batch",
                  "sink f: compress: 17; it takes none, gzip or zstd",
                  "sink f: on_open_failure: 17; it takes error or retry"));
  EXPECT_THAT(folder.names(), IsEmpty()) << "nothing is opened by a configuration that is wrong";
}

TEST(ConfigurationOutputs, so_are_those_of_a_console_a_stream_a_level_and_a_queue) {
  std::ostringstream stream;
  EXPECT_THAT(
      problems_of(cairn::Configuration{}
                      .write_to_console({.format = beyond<cairn::Format>(),
                                         .theme = beyond<cairn::Theme>(),
                                         .colour = beyond<cairn::Colour>(),
                                         .stderr_from = beyond<cairn::Level>(),
                                         .rendering = beyond<cairn::Rendering>(),
                                         .time_zone = beyond<cairn::TimeZone>()})
                      .write_to_stream(stream, {.format = beyond<cairn::Format>(),
                                                .rendering = beyond<cairn::Rendering>(),
                                                .time_zone = beyond<cairn::TimeZone>()})
                      .write_to_null()
                      .with_min_level(beyond<cairn::Level>())
                      .with_queue({.overflow = beyond<cairn::Overflow>()})),
      UnorderedElementsAre("sink console: format: 17; it takes text or clef",
                           "sink console: theme: 17; it takes literate, code, grayscale, ansi or none",
                           "sink console: colour: 17; it takes automatic, always or never",
                           "sink console: stderr_from: 17 is no level; it takes verbose (0) to fatal (5)",
                           "sink console: rendering: 17; it takes literal or classic",
                           "sink console: time_zone: 17; it takes utc or local",
                           "sink stream: format: 17; it takes text or clef",
                           "sink stream: rendering: 17; it takes literal or classic",
                           "sink stream: time_zone: 17; it takes utc or local",
                           "sink null: with_queue: overflow: 17; it takes drop_oldest, drop_newest or block",
                           "sink null: with_min_level(17): that is no level; it takes verbose (0) to fatal (5)"));
}

TEST(ConfigurationOutputs, a_mode_is_permissions_and_nothing_more) {
  const LogFolder folder;
  for (const unsigned wrong : {01640U, 02640U, 04640U, 0100640U}) {
    EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_file(folder.path("a.log"), {.mode = wrong})),
                ElementsAre(AllOf(HasSubstr("640 is more than permissions"), HasSubstr("up to 0777"))));
  }
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_file(folder.path("a.log"), {.mode = 07777})),
              ElementsAre(HasSubstr("mode: 07777 is more than permissions")));
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_file(folder.path("a.log"), {.mode = 0444})),
              ElementsAre(HasSubstr("mode: 0444: the owner may not write; it takes permissions with 0600 set")));
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_file(folder.path("a.log"), {.mode = 0200})),
              ElementsAre(HasSubstr("mode: 0200: the owner may not read; it takes permissions with 0600 set")));
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_file(folder.path("a.log"), {.mode = 0600})), IsEmpty());
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_file(folder.path("a.log"), {.mode = 0777})), IsEmpty());
}

TEST(ConfigurationOutputs, a_descriptor_is_open_and_for_writing) {
  const LogFolder folder;
  ASSERT_EQ(::fcntl(999, F_GETFD), -1);
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_descriptor(999)),
              ElementsAre(AllOf(HasSubstr("sink fd:999"), HasSubstr("999 is not open"))));
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_descriptor(-1)), ElementsAre(HasSubstr("descriptor is -1")));
  const int reading = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_descriptor(reading)),
              ElementsAre(HasSubstr("open for reading only")));
  const int writing = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_descriptor(writing)), IsEmpty());
  ::close(reading);
  ::close(writing);
}

TEST(ConfigurationOutputs, a_target_logger_is_neither_silent_nor_closed) {
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_logger(cairn::Logger())),
              ElementsAre(AllOf(HasSubstr("sink logger"), HasSubstr("silent"), HasSubstr("create_logger()"))));
  auto target = cairn::Configuration{}.write_to_null().create_logger();
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_logger(target)), IsEmpty());
  target.close();
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_logger(target)), ElementsAre(HasSubstr("was closed")));
}

TEST(ConfigurationOutputs, a_layout_of_lines_has_no_place_in_clef) {
  const LogFolder folder;
  const std::string layout = "{Message}{NewLine}";
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_file(folder.path("a.clef"), {.output_template = layout})),
              ElementsAre(AllOf(HasSubstr("output_template: \"{Message}{NewLine}\""), HasSubstr("the file's name"))));
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_file(
                  folder.path("a.log"), {.format = cairn::FileFormat::clef, .output_template = layout})),
              ElementsAre(AllOf(HasSubstr("no effect on CLEF"), HasSubstr("because of format"))));
  EXPECT_THAT(
      problems_of(cairn::Configuration{}.write_to_console({.output_template = layout, .format = cairn::Format::clef})),
      ElementsAre(HasSubstr("no effect on CLEF")));
  std::ostringstream stream;
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_stream(
                  stream, {.output_template = layout, .format = cairn::Format::clef})),
              ElementsAre(HasSubstr("no effect on CLEF")));
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_file(
                  folder.path("a.clef"), {.format = cairn::FileFormat::text, .output_template = layout})),
              IsEmpty());
}

struct Pair {
  const char* rolling;
  cairn::FileOptions options;
  const char* other;
  bool collide;
};

TEST(ConfigurationOutputs, a_sink_on_the_name_of_a_rolled_file_of_another_is_refused) {
  const LogFolder folder;
  using cairn::Rolling;
  const Pair pairs[] = {
      {"a.log", {.rolling = Rolling::day}, "a-20261125.log", true},
      {"a.log", {.rolling = Rolling::day}, "a-20261125_003.log", true},
      {"a.log", {.rolling = Rolling::day}, "a-2026112.log", false},
      {"a.log", {.rolling = Rolling::day}, "a_001.log", false},
      {"a.log", {.rolling = Rolling::month}, "a-202611.log", true},
      {"a.log", {.rolling = Rolling::day}, "b-20261125.log", false},
      {"a.log", {.rolling = Rolling::day}, "a-20261125.clef", false},
      {"a.log", {}, "a_001.log", true},  // by size
      {"a.log", {}, "a-20261125.log", false},
      {"a.log", {.rolling = Rolling::day, .keep_active_name = true}, "a-20261125.log", true},
  };
  for (const Pair& pair : pairs) {
    const auto problems =
        problems_of(cairn::Configuration{}
                        .write_to_file(folder.path(pair.rolling), pair.options)
                        .with_name("first")
                        .write_to_null()
                        .with_fallback(cairn::SinkSpec::file(folder.path(pair.other)).with_name("second")));
    if (pair.collide) {
      EXPECT_THAT(problems, ElementsAre(AllOf(HasSubstr("two sinks on one file"), HasSubstr(pair.other),
                                              HasSubstr("first"), HasSubstr("second"))))
          << pair.rolling << ' ' << pair.other;
    } else {
      EXPECT_THAT(problems, IsEmpty()) << pair.rolling << ' ' << pair.other;
    }
  }
}

TEST(ConfigurationOutputs, the_same_names_in_two_folders_are_two_files) {
  const LogFolder folder;
  EXPECT_THAT(problems_of(cairn::Configuration{}
                              .write_to_file(folder.path("x/a.log"), {.rolling = cairn::Rolling::day})
                              .write_to_file(folder.path("y/a-20261125.log"))),
              IsEmpty());
}

TEST(ConfigurationOutputs, a_number_in_an_error_is_as_short_as_it_can_be) {
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_null().with_queue({.back_pressure_threshold = 1e300})),
              ElementsAre(HasSubstr("back_pressure_threshold: 1e+300; it takes above 0, to 1")));
}

TEST(ConfigurationOutputs, one_stream_in_two_sinks_is_an_error_for_two_threads_would_write_to_it_at_once) {
  std::ostringstream one;
  std::ostringstream other;
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_stream(one).write_to_stream(other).write_to_stream(
                  one, {.format = cairn::Format::clef})),
              ElementsAre(AllOf(HasSubstr("sink stream"), HasSubstr("the same stream is given twice"))));
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_stream(one).write_to_stream(other)), IsEmpty());
}

TEST(ConfigurationOutputs, no_sink_has_the_name_of_the_emergency_output) {
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_null().with_name("emergency")),
              ElementsAre(HasSubstr("with_name: emergency is the name of what stands behind")));
}

TEST(ConfigurationOutputs, a_name_too_long_for_what_a_roll_adds_is_refused) {
  const LogFolder folder;
  const auto named = [&](std::size_t length) { return folder.path(std::string(length - 4, 'n') + ".log"); };
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_file(named(229)).with_name("f")),
              ElementsAre(AllOf(HasSubstr("has 229 bytes"), HasSubstr("takes 228 at most"))));
  EXPECT_THAT(problems_of(cairn::Configuration{}.write_to_file(named(250), {.max_file_bytes = 0})), IsEmpty());
  // The longest that is taken, with everything that can be added to it.
  std::vector<cairn::Compress> kinds{cairn::Compress::none};
#ifdef CAIRN_HAS_ZSTD
  cairn::use_zstd();
  kinds.push_back(cairn::Compress::zstd);
#endif
  for (const auto compress : kinds) {
    const LogFolder other;
    const std::string path = other.path(std::string(224, 'n') + ".log");
    const auto log =
        cairn::Configuration{}
            .on_internal_error([](std::string_view text) { ADD_FAILURE() << text; })
            .write_to_file(
                path,
                {.rolling = cairn::Rolling::minute, .max_file_bytes = 100, .retain_files = 3, .compress = compress})
            .create_logger();
    for (int i = 0; i < 600; ++i) log.information("Event {Number} of a length that makes the file roll at each", i);
    EXPECT_GE(log.metrics().sinks.at(0).counters.at("rolls"), 590U);
    EXPECT_EQ(log.metrics().sinks.at(0).counters.at("retention_errors"), 0U);
  }
}

}  // namespace
