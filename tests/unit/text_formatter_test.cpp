// Lines by an output template, and the check of one.
#include "format/text_formatter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "format_test_support.hpp"
#include "support/logged_events.hpp"
#include "text/text_escape.hpp"

namespace {
using namespace cairn;
using cairn::detail::default_console_template;
using cairn::detail::default_text_template;
using cairn::detail::output_template_errors;
using cairn::testing::formatted;
using cairn::testing::has_raw_controls;
using cairn::testing::LoggedEvents;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(TextFormatter, has_the_documented_default_layouts) {
  LoggedEvents events;
  events.log.warning("Hello {User}", "Ada");
  EXPECT_EQ(formatted(events, default_console_template), "[17:05:09 WRN] Hello Ada\n");
  EXPECT_EQ(formatted(events, default_text_template), "2026-01-31 17:05:09.123 +0000 [WRN] Hello Ada\n");
  EXPECT_THAT(output_template_errors(default_console_template), IsEmpty());
  EXPECT_THAT(output_template_errors(default_text_template), IsEmpty());
}

TEST(TextFormatter, spells_levels_in_every_width_and_case) {
  LoggedEvents events;
  for (int i = 0; i < 6; ++i) events.log.write(static_cast<Level>(i), "x");
  detail::TextFormatter formatter(
      "{Level:u1} {Level:u2} {Level:u3} {Level:w3} {Level:t4} {Level:u5} {Level:t99} {Level} {Level:w}",
      Rendering::literal, TimeZone::utc);
  OutputBuffer out;
  for (const OwnedEvent& event : events.kept()) formatter.format(event.view(), out);
  EXPECT_EQ(out.view(),
            "V VB VRB vrb Verb VERBO Verbose Verbose verbose\n"
            "D DE DBG dbg Dbug DEBUG Debug Debug debug\n"
            "I IN INF inf Info INFOR Information Information information\n"
            "W WN WRN wrn Warn WARNI Warning Warning warning\n"
            "E ER ERR err Eror ERROR Error Error error\n"
            "F FA FTL ftl Fatl FATAL Fatal Fatal fatal\n");
}

TEST(TextFormatter, shows_times_in_the_zone_asked_for_and_in_utc) {
  LoggedEvents events;
  events.log.information("x");
  EXPECT_EQ(formatted(events, "{Timestamp}|{UtcTimestamp:%H:%M:%S.%9f}"),
            "2026-01-31 17:05:09.123 +0000|17:05:09.123456789\n");
}

TEST(TextFormatter, shows_ids_the_call_and_properties_by_name) {
  LoggedEvents events;
  const auto trace = LogContext::push_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  const auto shard = LogContext::push("ThreadId", 7);
  events.log.for_source("shop::orders").information("Hello, {User}", "Ada");
  const std::string line = std::to_string(__LINE__ - 1);
  EXPECT_EQ(formatted(events, "{TraceId} {SpanId} {EventId} {SourceContext} {ThreadId:03} {Line} {User:u}"),
            "0af7651916cd43dd8448eb211c80319c b7ad6b7169203331 0482b02f shop::orders 007 " + line + " ADA\n");
  EXPECT_THAT(formatted(events, "{File}"), HasSubstr("text_formatter_test.cpp"));
}

TEST(TextFormatter, renders_nothing_for_what_is_not_there) {
  LoggedEvents events;
  events.log.information("x");
  EXPECT_EQ(formatted(events, "<{Nothing}{Nothing,20}{TraceId,20}{SpanId}{SourceContext}{Exception}>"), "<>\n");
}

TEST(TextFormatter, never_lets_a_property_take_the_place_of_what_is_built_in) {
  LoggedEvents events;
  events.log.information("says {Message} at {Level}, {Timestamp}", "forged", "Fatal", 1);
  EXPECT_EQ(formatted(events, "{Level}|{Timestamp:%Y}|{Message}"), "Information|2026|says forged at Fatal, 1\n");
}

TEST(TextFormatter, shows_in_properties_what_is_not_shown_already) {
  LoggedEvents events;
  const auto request = LogContext::push("Request", "r\n1");
  events.log.for_context("Shard", 7).for_context("Message", "mine").information("{User} and {Id}", "Ada", 3);
  EXPECT_EQ(formatted(events, "{Message} {Properties}"),
            "Ada and 3 {\"Request\":\"r\\n1\",\"Shard\":7,\"Message\":\"mine\"}\n");
  EXPECT_EQ(formatted(events, "{Message} {Shard} {Properties}"),
            "Ada and 3 7 {\"Request\":\"r\\n1\",\"Message\":\"mine\"}\n");
  EXPECT_EQ(formatted(events, "{Properties}"),
            "{\"User\":\"Ada\",\"Id\":3,\"Request\":\"r\\n1\",\"Shard\":7,\"Message\":\"mine\"}\n")
      << "without the message its holes are not shown";
  EXPECT_EQ(formatted(events, "{Message} {Request}{Message}{Shard}{Properties}", Rendering::classic),
            "\"Ada\" and 3 r\\n1\"Ada\" and 37{ Message: \"mine\" }\n");
  EXPECT_EQ(formatted(events, "{Message} {Request}{Shard}{Properties:j}", Rendering::classic),
            "\"Ada\" and 3 r\\n17{\"Message\":\"mine\"}\n");
  events.log.write(Level::information, dynamic_template("{A}"), 1, 2);
  EXPECT_EQ(formatted(events, "{Message} {Properties}"), "1 {\"__1\":2,\"Request\":\"r\\n1\"}\n")
      << "a surplus argument";
}

TEST(TextFormatter, has_an_empty_object_where_all_properties_are_shown) {
  LoggedEvents events;
  events.log.information("{User}", "Ada");
  EXPECT_EQ(formatted(events, "{Message} {Properties}"), "Ada {}\n");
}

TEST(TextFormatter, renders_the_message_as_asked_for_by_the_sink_or_the_hole) {
  LoggedEvents events;
  events.log.information("{User} {On}", "Ada", true);
  EXPECT_EQ(formatted(events, "{Message}"), "Ada true\n");
  EXPECT_EQ(formatted(events, "{Message}", Rendering::classic), "\"Ada\" True\n");
  EXPECT_EQ(formatted(events, "{Message:lj}", Rendering::classic), "Ada true\n");
}

TEST(TextFormatter, aligns_by_display_columns_on_either_side) {
  LoggedEvents events;
  events.log.information("日本{User}", "語");
  EXPECT_EQ(formatted(events, "[{Message,8}][{Message,-8}][{User,4}][{User,-4}][{Level:u3,9}]"),
            "[  日本語][日本語  ][  語][語  ][Information]\n")
      << "an alignment stands before the format";
  EXPECT_EQ(formatted(events, "[{Level,5:u3}][{Level,-5:u3}][{Timestamp,-6:%H}][{Message,2}]"),
            "[  INF][INF  ][17    ][日本語]\n");
}

TEST(TextFormatter, puts_the_lines_of_an_exception_after_the_event_each_indented_and_escaped) {
  LoggedEvents events;
  const std::runtime_error error("no\n[12:00:00 FTL] forged\x1b[2J\n");
  events.log.error(error, "failed");
  EXPECT_EQ(formatted(events, "{Message}{NewLine}{Exception}"),
            "failed\n  std::runtime_error: no\n  [12:00:00 FTL] forged\\x1b[2J\n");
  EXPECT_EQ(formatted(events, "{Message} {Exception}{NewLine}"),
            "failed std::runtime_error: no\n  [12:00:00 FTL] forged\\x1b[2J\n")
      << "one that stands in the line begins there; its own line end is enough";
  EXPECT_EQ(formatted(events, "{Message} {Properties}{NewLine}{Exception}").substr(0, 10), "failed {}\n")
      << "its type and message are not shown twice";
  EXPECT_THAT(formatted(events, "{Message} {Properties}"), HasSubstr("\"ExceptionType\":\"std::runtime_error\""));
}

TEST(TextFormatter, shows_nested_exceptions_line_by_line) {
  LoggedEvents events;
  try {
    try {
      throw std::invalid_argument("inner");
    } catch (...) {
      std::throw_with_nested(std::runtime_error("outer"));
    }
  } catch (const std::exception& error) {
    events.log.error(error, "failed");
  }
  EXPECT_THAT(
      formatted(events, "{Message}{NewLine}{Exception}"),
      ::testing::MatchesRegex("failed\n  [^\n]*runtime_error[^\n]*: outer\n   ---> std::invalid_argument: inner\n"));
}

TEST(TextFormatter, ends_a_line_that_the_layout_does_not_end) {
  LoggedEvents events;
  events.log.information("x");
  EXPECT_EQ(formatted(events, "{Message}"), "x\n");
  EXPECT_EQ(formatted(events, "{Nothing}"), "\n");
  EXPECT_EQ(formatted(events, "{Message}{NewLine}"), "x\n");
  EXPECT_EQ(formatted(events, "{Message}\n"), "x\n");
  EXPECT_EQ(formatted(events, "{Message}{NewLine}\t-- {Level}\n"), "x\n\t-- Information\n");
}

TEST(TextFormatter, keeps_malformed_holes_as_text_and_ignores_formats_it_does_not_know) {
  LoggedEvents events;
  events.log.information("x");
  EXPECT_EQ(formatted(events, "{{}} {a b} {Level:z9} {Message:zz} {Message"), "{} {a b} Information x {Message\n");
  EXPECT_EQ(formatted(events, "a\x1b[1m{Timestamp:\x1b%H}"), "a\\x1b[1m\\x1b17\n") << "colours come from a theme";
}

TEST(TextFormatter, remembers_nothing_of_one_event_in_the_next) {
  LoggedEvents events;
  events.log.error(std::runtime_error("no"), "one {A}", 1);
  events.log.information("two");
  detail::TextFormatter formatter("{Message} {Properties}{NewLine}{Exception}", Rendering::literal, TimeZone::utc);
  OutputBuffer out;
  for (const OwnedEvent& event : events.kept()) formatter.format(event.view(), out);
  EXPECT_EQ(out.view(), "one 1 {}\n  std::runtime_error: no\ntwo {}\n");
}

TEST(TextFormatter, writes_one_clean_line_an_event_whatever_the_bytes) {
  LoggedEvents events;
  auto random = test::seeded("writes_one_clean_line_an_event_whatever_the_bytes");
  constexpr std::string_view layout =
      "{Timestamp:%H} {Level:u3} {SourceContext} {Message} {User} {Other,20} {Properties}{NewLine}{Exception}";
  for (int round = 0; round < 500; ++round) {
    const std::string text = test::random_bytes(random, 60);
    const auto context = LogContext::push(test::random_bytes(random, 10), text);
    const Logger log =
        events.log.for_source(test::random_bytes(random, 20)).for_context("Other", test::random_bytes(random, 20));
    const std::string message = test::random_bytes(random, 30) + "{User} {Names}{";
    log.write(Level::information, dynamic_template(message), text,
              std::vector<std::string>{text, test::random_bytes(random, 9)}, text);
    for (const Rendering rendering : {Rendering::literal, Rendering::classic}) {
      const std::string line = formatted(events, layout, rendering);
      ASSERT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
      ASSERT_EQ(line.back(), '\n');
      ASSERT_FALSE(has_raw_controls(line)) << line;
      ASSERT_TRUE(format::is_valid_utf8(line)) << line;
    }
    log.write(Level::error, std::runtime_error(text), dynamic_template(message), text);
    const std::string lines = formatted(events, layout);
    ASSERT_FALSE(has_raw_controls(lines)) << lines;
    for (std::size_t end = lines.find('\n'); end + 1 < lines.size(); end = lines.find('\n', end + 1)) {
      ASSERT_EQ(lines.substr(end + 1, 2), "  ") << lines;
    }
  }
}

// ---- the check

TEST(OutputTemplateError, finds_nothing_in_what_the_formatter_takes) {
  for (const char* good :
       {"{Timestamp:%Y-%m-%d %H:%M:%S.%6f %z} {Level:w4} {Message:lj}{NewLine}{Exception}", "{Properties:j}{{}}",
        "{UtcTimestamp}", "{A.B,-20:>8.2f} {Order} {0} {User:u}", "plain\ttext\n", "{Level,9}{Level:t}"}) {
    EXPECT_THAT(output_template_errors(good), IsEmpty()) << good;
  }
}

TEST(OutputTemplateError, says_everything_that_is_wrong_in_the_order_of_the_template) {
  EXPECT_THAT(
      output_template_errors("\x1b[1m{Timestamp:%H:%Q:%K} {Level:x3} {} {Message:z} {Level:x3} {a b}{NewLine,3}{Line"),
      ElementsAre(HasSubstr("control character"), HasSubstr("'%Q' at position 3"), HasSubstr("'%K' at position 6"),
                  HasSubstr("'{Level:x3}'"), HasSubstr("'{}'"), HasSubstr("'{Message:z}'"), HasSubstr("'{Level:x3}'"),
                  HasSubstr("'{a b}'"), HasSubstr("'{NewLine,3}'"), HasSubstr("'{Line'")));
}

TEST(OutputTemplateError, says_what_was_found_and_what_is_taken) {
  const auto says = [](std::string_view layout, const char* found, const char* takes) {
    const auto errors = output_template_errors(layout);
    ASSERT_THAT(errors, SizeIs(1)) << layout;
    EXPECT_THAT(errors[0], HasSubstr(found));
    EXPECT_THAT(errors[0], HasSubstr(takes));
    EXPECT_FALSE(has_raw_controls(errors[0])) << errors[0];
  };
  says("{Message", "'{Message'", "closing brace");
  says("{Message} {}", "'{}'", "takes one");
  says("{a b}", "'{a b}'", "a name is letters");
  says("{Message,x}", "'{Message,x}'", "a width like 8");
  says("{Message,4097}", "'{Message,4097}'", "up to 4096 columns");
  says("{Timestamp:HH:mm}", "'{Timestamp:HH:mm}'", "%H:%M:%S");
  says("{Timestamp:%H:%Q}", "'%Q' at position 3", "the fields of strftime");
  for (const char* level : {"{Level:u0}", "{Level:x3}", "{Level:u100}", "{Level:u3 }", "{Level:3}"}) {
    says(level, level, "a width from 1 to 99");
  }
  says("{Message:q}", "'{Message:q}'", "l or lj");
  says("{Properties:q}", "'{Properties:q}'", "j or lj");
  says("{NewLine,3}", "'{NewLine,3}'", "no alignment");
  says("{Exception:l}", "'{Exception:l}'", "no format");
  says("{EventId:x}", "'{EventId:x}'", "no format");
  says("{User:zzz}", "'zzz'", "std::format");
  says("\x1b[1m{Message}", "\\x1b[1m", "colours come from a theme");
  says("{Timestamp:\x1b%H}", "\\x1b", "control character");
  says("{Token:\x1b>8}", "'{Token:\\x1b>8}'", "control character");
  says("{Token,9:\u202e<3}", "\\u202e", "control character");
}

TEST(OutputTemplateError, is_a_problem_of_the_configuration_that_names_the_sink) {
  const auto result = Configuration{}.write_to_console({.output_template = "{Level:u0}"}).try_create_logger();
  ASSERT_TRUE(std::holds_alternative<ConfigurationError>(result));
  EXPECT_THAT(std::get<ConfigurationError>(result).problems(),
              ::testing::ElementsAre(
                  ::testing::AllOf(HasSubstr("console"), HasSubstr("output_template"), HasSubstr("{Level:u0}"))));
}
}  // namespace
