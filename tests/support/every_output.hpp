// A logger that writes to every kind of output at once, and what an output must be whatever was logged: judged by
// readers that are not ours.
#pragma once

#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <cairn/memory_sink.hpp>

#include <cstddef>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "support/log_folder.hpp"
#include "support/unique_keys.hpp"

namespace cairn::testing {

/// What is wrong with `line` as one CLEF event, or nothing. The reader refuses what is no UTF-8.
inline std::string fault_of_clef(std::string_view line) {
  UniqueKeys keys;
  if (!nlohmann::json::sax_parse(line, &keys)) return keys.fault;
  if (!nlohmann::json::parse(line).contains("@t")) return "no @t";
  return {};
}

/// What is wrong with `text` as lines for people, or nothing: it must be UTF-8 without any character that moves a
/// cursor, ends a line or turns the direction of text, line ends aside.
inline std::string fault_of_text(std::string_view text) {
  try {
    static_cast<void>(nlohmann::json(std::string(text)).dump());  // throws for what is no UTF-8
  } catch (const nlohmann::json::exception& e) {
    return e.what();
  }
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const std::string_view next = text.substr(at, 3);
    if ((byte < 0x20 && byte != '\n') || byte == 0x7F) return "a control character at " + std::to_string(at);
    if (next.starts_with("\xC2") && static_cast<unsigned char>(next[1]) < 0xA0)
      return "a C1 control at " + std::to_string(at);
    for (const std::string_view mover : {"\u2028", "\u2029", "\u202A", "\u202B", "\u202C", "\u202D", "\u202E", "\u2066",
                                         "\u2067", "\u2068", "\u2069"}) {
      if (next == mover) return "a character that moves text at " + std::to_string(at);
    }
  }
  return {};
}

/// Text and CLEF, to a stream and to a file, and the events themselves.
class EveryOutput {
 public:
  explicit EveryOutput(Configuration configuration = {}) {
    configuration.verbose();
    configuration.write_to_stream(text_, {.output_template = layout}).with_name("text");
    configuration.write_to_stream(classic_, {.output_template = layout, .rendering = Rendering::classic})
        .with_name("classic");
    configuration
        .write_to_stream(clef_, {.format = Format::clef, .clef = {.with_message = true, .with_event_id = true}})
        .with_name("clef");
    configuration.write_to_stream(rendered_, {.format = Format::clef, .clef = {.rendered = true}})
        .with_name("rendered");
    configuration.write_to_file(folder_.path("app.log"), {.output_template = layout});
    configuration.write_to_file(folder_.path("app.clef"));
    configuration.write_to(memory, "memory");
    log = configuration.create_logger();
  }

  [[nodiscard]] std::string text() const { return text_.str(); }
  [[nodiscard]] std::string classic() const { return classic_.str(); }
  [[nodiscard]] std::string clef() const { return clef_.str(); }
  [[nodiscard]] std::string rendered() const { return rendered_.str(); }
  [[nodiscard]] std::string text_file() const { return folder_.read("app.log"); }
  [[nodiscard]] std::string clef_file() const { return folder_.read("app.clef"); }
  /// Every byte that any output holds.
  [[nodiscard]] std::string everything() const {
    return text() + classic() + clef() + rendered() + text_file() + clef_file();
  }
  /// The last event as the independent reader has it.
  [[nodiscard]] nlohmann::json last() const {
    const std::string all = clef_file();
    const std::size_t end = all.rfind('\n');
    const std::size_t before = end == 0 || end == std::string::npos ? end : all.rfind('\n', end - 1);
    return nlohmann::json::parse(before == std::string::npos ? all : all.substr(before + 1));
  }

  /// Each output is well-formed and has one line for each of `events` events; text has `indented` more, each indented.
  void expect_sound(std::size_t events, std::size_t indented = 0) const {
    for (const std::string& lines : {clef(), rendered(), clef_file()}) {
      std::istringstream in(lines);
      std::size_t count = 0;
      for (std::string line; std::getline(in, line); ++count) EXPECT_EQ(fault_of_clef(line), "") << line;
      EXPECT_EQ(count, events) << lines;
      EXPECT_TRUE(lines.empty() || lines.back() == '\n');
    }
    for (const std::string& lines : {text(), classic(), text_file()}) {
      EXPECT_EQ(fault_of_text(lines), "") << lines;
      std::istringstream in(lines);
      std::size_t own = 0;
      std::size_t further = 0;
      for (std::string line; std::getline(in, line);) ++(line.starts_with(' ') ? further : own);
      EXPECT_EQ(own, events) << lines;
      EXPECT_EQ(further, indented) << lines;
      EXPECT_TRUE(lines.empty() || lines.back() == '\n');
    }
  }

  std::shared_ptr<MemorySink> memory = std::make_shared<MemorySink>();

 private:
  static constexpr const char* layout = "[{Level:u3}] {SourceContext} {Message} {Properties}{NewLine}{Exception}";
  LogFolder folder_;
  std::ostringstream text_;
  std::ostringstream classic_;
  std::ostringstream clef_;
  std::ostringstream rendered_;

 public:
  Logger log;  // last: it writes to the others until it is gone
};

}  // namespace cairn::testing
