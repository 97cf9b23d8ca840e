// Colours: where they stand, and when there are any.
#include "sinks/theme.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <stdexcept>

#include "format_test_support.hpp"
#include "support/logged_events.hpp"

namespace {
using namespace cairn;
using cairn::detail::theme_colours;
using cairn::detail::ThemeColours;
using cairn::detail::ThemePainter;
using cairn::detail::wants_colours;
using cairn::testing::formatted;
using cairn::testing::LoggedEvents;
using cairn::testing::without_colours;
using ::testing::HasSubstr;

constexpr Theme coloured_themes[] = {Theme::literate, Theme::code, Theme::grayscale, Theme::ansi};
constexpr std::string_view layout =
    "[{Timestamp:%H:%M:%S} {Level,5:u3}]\n{Message,-40}| {User} {Properties}{NewLine}{Exception}";

TEST(Theme, none_writes_no_escape_at_all) {
  LoggedEvents events;
  events.log.error(std::runtime_error("no"), "{User} {Id} {On}", "Ada", 7, true);
  ThemePainter painter(Theme::none);
  EXPECT_EQ(formatted(events, layout, Rendering::literal, &painter), formatted(events, layout));
}

TEST(Theme, colours_change_no_character_of_the_text) {
  LoggedEvents events;
  events.log.for_context("K", "v").error(std::runtime_error("a\nb"), "{User} {Id} {On} {None} {All} {Gone}",
                                         "日\x1b[1m", 7, true, nullptr, std::vector{1, 2}, 1.5);
  for (const Theme theme : coloured_themes) {
    ThemePainter painter(theme);
    const std::string painted = formatted(events, layout, Rendering::literal, &painter);
    EXPECT_NE(painted, formatted(events, layout));
    EXPECT_EQ(without_colours(painted), formatted(events, layout)) << "padding counts no colour";
  }
}

TEST(Theme, resets_each_coloured_run_on_the_line_where_it_began) {
  LoggedEvents events;
  events.log.error(std::runtime_error("a\nb"), "{User} {Id}", "Ada", 7);
  for (const Theme theme : coloured_themes) {
    ThemePainter painter(theme);
    const std::string painted = formatted(events, layout, Rendering::literal, &painter);
    bool open = false;
    for (std::size_t at = 0; at < painted.size(); ++at) {
      if (painted[at] == '\n') {
        EXPECT_FALSE(open) << painted;
      }
      if (painted[at] != '\x1b') continue;
      const bool reset = painted.compare(at, 4, "\x1b[0m") == 0;
      EXPECT_EQ(reset, open) << "a colour begins inside another, or a reset stands alone, at " << at;
      open = !reset;
    }
    EXPECT_FALSE(open);
  }
}

TEST(Theme, tells_kinds_of_values_and_levels_apart) {
  LoggedEvents events;
  ThemePainter painter(Theme::ansi);
  events.log.warning("is {User} {Id} {On}", "Ada", 7, true);
  EXPECT_EQ(formatted(events, "{Level:u3} {Message}", Rendering::literal, &painter),
            "\x1b[1;33mWRN\x1b[0m\x1b[90m \x1b[0mis \x1b[36mAda\x1b[0m \x1b[35m7\x1b[0m \x1b[34mtrue\x1b[0m\n");
  for (const Theme theme : coloured_themes) {
    const ThemeColours& colours = theme_colours(theme);
    EXPECT_NE(colours.levels[2], colours.levels[4]);
    EXPECT_NE(colours.levels[3], colours.levels[4]);
    EXPECT_EQ(colours.runs[0], "") << "plain text keeps the terminal's own colour";
  }
}

TEST(Theme, holds_nothing_but_colour_codes) {
  for (const Theme theme : coloured_themes) {
    const ThemeColours& colours = theme_colours(theme);
    for (const auto& code : colours.runs) EXPECT_EQ(without_colours(code), "");
    for (const auto& code : colours.parts) EXPECT_EQ(without_colours(code), "");
    for (const auto& code : colours.levels) EXPECT_EQ(without_colours(code), "");
  }
}

TEST(Theme, lets_no_control_byte_of_a_value_through_whatever_the_bytes) {
  LoggedEvents events;
  auto random = test::seeded("lets_no_control_byte_of_a_value_through_whatever_the_bytes");
  ThemePainter painter(Theme::literate);
  for (int round = 0; round < 300; ++round) {
    const std::string text = test::random_bytes(random, 60);
    events.log.for_context("K", text).write(Level::error, dynamic_template(text + "{User}"), text);
    const std::string plain = formatted(events, layout);
    ASSERT_FALSE(cairn::testing::has_raw_controls(plain));
    ASSERT_EQ(without_colours(formatted(events, layout, Rendering::literal, &painter)), plain);
  }
}

// ---- when

std::map<std::string, std::string>& variables() {
  static std::map<std::string, std::string> all;
  return all;
}
const char* variable(const char* name) {
  const auto found = variables().find(name);
  return found == variables().end() ? nullptr : found->second.c_str();
}
bool coloured(Colour colour, bool terminal, std::map<std::string, std::string> environment) {
  variables() = std::move(environment);
  return wants_colours(colour, terminal, variable);
}

TEST(Colours, are_automatic_on_a_terminal_only) {
  EXPECT_TRUE(coloured(Colour::automatic, true, {}));
  EXPECT_TRUE(coloured(Colour::automatic, true, {{"TERM", "xterm-256color"}}));
  EXPECT_FALSE(coloured(Colour::automatic, false, {}));
}

TEST(Colours, follow_NO_COLOR_then_FORCE_COLOR_then_TERM) {
  EXPECT_FALSE(coloured(Colour::automatic, true, {{"NO_COLOR", "1"}}));
  EXPECT_FALSE(coloured(Colour::automatic, true, {{"NO_COLOR", "0"}})) << "any text counts";
  EXPECT_TRUE(coloured(Colour::automatic, true, {{"NO_COLOR", ""}})) << "empty is as not set";
  EXPECT_TRUE(coloured(Colour::automatic, false, {{"FORCE_COLOR", "1"}}));
  EXPECT_FALSE(coloured(Colour::automatic, false, {{"FORCE_COLOR", ""}}));
  EXPECT_FALSE(coloured(Colour::automatic, false, {{"FORCE_COLOR", "0"}}));
  EXPECT_TRUE(coloured(Colour::automatic, true, {{"FORCE_COLOR", "0"}})) << "0 forces nothing, either way";
  EXPECT_FALSE(coloured(Colour::automatic, true, {{"FORCE_COLOR", "1"}, {"NO_COLOR", "1"}}));
  EXPECT_FALSE(coloured(Colour::automatic, true, {{"TERM", "dumb"}}));
  EXPECT_TRUE(coloured(Colour::automatic, false, {{"TERM", "dumb"}, {"FORCE_COLOR", "1"}}));
}

TEST(Colours, obey_the_program_before_the_environment) {
  EXPECT_TRUE(coloured(Colour::always, false, {{"NO_COLOR", "1"}, {"TERM", "dumb"}}));
  EXPECT_FALSE(coloured(Colour::never, true, {{"FORCE_COLOR", "1"}}));
}
}  // namespace
