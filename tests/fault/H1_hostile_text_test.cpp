// H1 to H4: text that would forge lines, drive a terminal, or is no UTF-8. Whatever it stands in, every output is
// sound, one event is one line, and CLEF gives the text back.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cairn/all.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "sinks/console_sink.hpp"
#include "support/every_output.hpp"
#include "support/logged_events.hpp"

namespace {

using namespace std::string_literals;
using cairn::testing::EveryOutput;
using nlohmann::json;

/// The text as a reader of JSON has it: U+FFFD for each maximal subpart that is no UTF-8, as the JSON library reckons.
std::string as_read(const std::string& text) {
  return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace));
}

const std::vector<std::string> line_ends{
    "\r",     "\n", "\r\n", "\u0085",          "\u2028",
    "\u2029", "\v", "\f",   "a\n[ERR] forged", "x\r\n{\"@t\":\"2026-01-01T00:00:00Z\",\"@mt\":\"forged\"}",
    "\n\n\n"};
const std::vector<std::string> terminal{"\x1b[2J",
                                        "\x1b]0;title\x07",
                                        "\x1b]8;;http://evil\x1b\\",
                                        "\x1bP1$r\x1b\\",
                                        "\x1b[31mred",
                                        "\x9b"
                                        "31m",
                                        "\u009b31m",
                                        "\x7f\x08\x08",
                                        "\x07",
                                        "\u202egnp.exe",
                                        "\u2066a\u2069",
                                        "\x0e\x0f",
                                        "\x1b[6n\x1b[5i",
                                        "\u200f",
                                        "\x1b",
                                        "\t"};
const std::vector<std::string> broken{"\xff",
                                      "\xfe\xfe\xff\xff",
                                      "\x80",
                                      "\x80\xbf\x80",
                                      "\xc0\xaf",
                                      "\xc1\xbf",
                                      "\xe0\x80\xaf",
                                      "\xe0\x9f\xbf",
                                      "\xf0\x80\x80\xaf",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf8\x88\x80\x80\x80",
                                      "\xfc\x84\x80\x80\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xed\xaf\xbf\xed\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xc3",
                                      "\xe2\x82",
                                      "\xf0\x9f\x98",
                                      "\xf0\x9f\x98\xe2\x82\xc3",
                                      "a\xc3"
                                      "b",
                                      "\xef\xbf\xbe",
                                      "\xc3\n\xe2\x82\x1b"};
const std::vector<std::string> nuls{"\0"s, "a\0b"s, "\0\0\0"s, "secret\0 after"s};

std::vector<std::string> all() {
  std::vector<std::string> texts;
  for (const auto* group : {&line_ends, &terminal, &broken, &nuls})
    texts.insert(texts.end(), group->begin(), group->end());
  return texts;
}

struct Holder {
  std::string member;
};

TEST(H1HostileText, in_a_value_is_one_line_and_reads_back) {
  EveryOutput out;
  for (const std::string& text : all()) {
    out.log.information("{A} {@B} {C} {$D}", text, Holder{text}, std::vector<std::string>{text}, Holder{text}.member);
    const json read = out.last();
    EXPECT_EQ(read["A"], as_read(text));
    EXPECT_EQ(read["B"]["member"], as_read(text));
    EXPECT_EQ(read["C"][0], as_read(text));
    EXPECT_EQ(read["D"], as_read(text));
  }
  out.expect_sound(all().size());
}

TEST(H1HostileText, in_a_dictionary_is_one_line_and_reads_back) {
  EveryOutput out;
  for (const std::string& text : all()) {
    out.log.information("{A}", std::map<std::string, std::string>{{text, text}});
    EXPECT_EQ(out.last()["A"][as_read(text)], as_read(text));
  }
  out.expect_sound(all().size());
}

TEST(H1HostileText, in_a_property_name_or_source_is_one_line) {
  EveryOutput out;
  for (const std::string& text : all()) {
    const auto scope = cairn::LogContext::push("context " + text, text);
    out.log.for_source(text).for_context("logger " + text, text).information("x");
    const json read = out.last();
    EXPECT_EQ(read["SourceContext"], as_read(text));
    EXPECT_EQ(read[as_read("context " + text)], as_read(text));
    EXPECT_EQ(read[as_read("logger " + text)], as_read(text));
  }
  out.expect_sound(all().size());
}

TEST(H1HostileText, in_a_template_is_one_line) {
  EveryOutput out;
  for (const std::string& text : all()) {
    out.log.information(cairn::dynamic_template(text + "{A}" + text), 1);
    EXPECT_EQ(out.last()["@mt"], as_read(text + "{A}" + text));
  }
  out.expect_sound(all().size());
}

TEST(H1HostileText, in_an_exception_stays_inside_its_indented_lines) {
  EveryOutput out;
  for (const std::string& text : all()) {
    out.log.error(std::runtime_error(text), "x");
    EXPECT_EQ(out.last()["ExceptionMessage"], as_read(text.c_str()));
  }
  SCOPED_TRACE(out.text());
  for (const std::string& lines : {out.text(), out.classic(), out.text_file()}) {
    EXPECT_EQ(cairn::testing::fault_of_text(lines), "");
    std::istringstream in(lines);
    std::size_t events = 0;
    for (std::string line; std::getline(in, line);) events += line.starts_with("[ERR] ") ? 1U : 0U;
    EXPECT_EQ(events, all().size()) << "no line that was not ours begins as an event does";
  }
}

TEST(H1HostileText, in_a_thread_name_is_one_line) {
  cairn::Configuration configuration;
  configuration.enrich_with(cairn::enrichers::thread_name());
  EveryOutput out(configuration);
  std::thread([&] {
    ASSERT_EQ(pthread_setname_np(pthread_self(), "a\n\x1b[2J\xff\u2028"), 0);
    out.log.information("x");
  }).join();
  EXPECT_EQ(out.last()["ThreadName"], "a\n\x1b[2J\uFFFD\u2028");
  out.expect_sound(1);
}

TEST(H1HostileText, a_number_of_nul_characters_is_kept) {
  EveryOutput out;
  out.log.information("{A}", "a\0b"s);
  EXPECT_NE(out.clef_file().find(R"("A":"a\u0000b")"), std::string::npos);
  EXPECT_NE(out.text().find("a\\x00b"), std::string::npos) << out.text();
  out.log.information("{A}", "\0"s);
  EXPECT_EQ(out.last()["A"], "\0"s) << "and never ends the text";
  out.expect_sound(2);
}

TEST(H1HostileText, a_newline_shows_as_its_escape) {
  EveryOutput out;
  out.log.information("{A}", "a\r\n\u2028\u202e\x1b[m");
  EXPECT_NE(out.text().find("a\\r\\n\\u2028\\u202e\\x1b[m"), std::string::npos) << out.text();
  EXPECT_NE(out.clef_file().find("a\\r\\n"), std::string::npos);
}

TEST(H2Terminal, a_coloured_console_writes_no_escape_but_its_themes) {
  cairn::testing::LoggedEvents events;
  for (const std::string& text : all()) {
    events.log.for_source(text).for_context(text, text).warning("{A} {@B} {C}", text, Holder{text}, 1);
    events.log.error(std::runtime_error(text), "{A}", text);
  }
  const auto kept = events.kept();
  for (const cairn::Theme theme :
       {cairn::Theme::literate, cairn::Theme::code, cairn::Theme::grayscale, cairn::Theme::ansi}) {
    const int file = ::memfd_create("console", 0);
    ASSERT_GE(file, 0);
    cairn::detail::ConsoleSink sink(
        {.output_template = "{Level} {SourceContext} {Message} {Properties}{NewLine}{Exception}",
         .theme = theme,
         .colour = cairn::Colour::always},
        {.out = file, .err = file});
    ASSERT_EQ(sink.emit(cairn::testing::batch_of(kept)).emitted, kept.size());
    std::string shown(static_cast<std::size_t>(::lseek(file, 0, SEEK_END)), '\0');
    ASSERT_EQ(::pread(file, shown.data(), shown.size(), 0), static_cast<ssize_t>(shown.size()));
    ::close(file);
    EXPECT_NE(shown.find("\x1b["), std::string::npos) << "it is coloured";
    EXPECT_EQ(cairn::testing::fault_of_text(cairn::testing::without_colours(shown)), "");
  }
}

TEST(H2Terminal, what_cairn_says_on_stderr_is_escaped) {
  for (const std::string& text : all()) {
    const cairn::Logger log =
        cairn::Configuration{}
            .write_to_callback([&](const cairn::Event&) { throw std::runtime_error("<" + text + ">"); })
            .create_logger();
    ::testing::internal::CaptureStderr();
    log.information("x");
    const std::string said = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(cairn::testing::fault_of_text(said), "") << said;
    EXPECT_EQ(said.find('\n'), said.size() - 1) << "one line: " << said;
    EXPECT_TRUE(said.starts_with("cairn: sink callback failed (sink_threw): <")) << said;
  }
}

TEST(H3InvalidUtf8, generated_bytes_leave_every_output_sound) {
  const std::uint32_t seed = std::random_device{}();
  std::cout << "seed " << seed << '\n';
  std::mt19937 random(seed);
  EveryOutput out;
  constexpr std::size_t events = 2000;
  for (std::size_t i = 0; i < events; ++i) {
    std::string text;
    for (std::size_t n = random() % 24; n > 0; --n)
      text += random() % 3 == 0 ? all()[random() % all().size()] : std::string(1, static_cast<char>(random()));
    out.log.for_context("P" + text, text).information("{A}", text);
    if (i % 50 == 0) {
      ASSERT_EQ(out.last()["A"], as_read(text)) << "seed " << seed;
    }
  }
  out.expect_sound(events);
}

}  // namespace
