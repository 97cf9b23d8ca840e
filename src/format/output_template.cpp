// The names and formats of output templates, and the check that tells what is wrong with one.
#include "format/output_template.hpp"

#include <array>
#include <utility>
#include <vector>

#include "cairn/detail/format_spec.hpp"
#include "cairn/detail/template_parser.hpp"
#include "cairn/output_buffer.hpp"
#include "format/text_formatter.hpp"
#include "text/text_escape.hpp"
#include "text/time_format.hpp"

namespace cairn::detail {

std::optional<LevelFormat> parse_level_format(std::string_view format) noexcept {
  if (format.empty()) return LevelFormat{};
  LevelFormat result{format.front(), 0};
  if (result.letters != 'u' && result.letters != 'w' && result.letters != 't') return std::nullopt;
  const std::string_view digits = format.substr(1);
  if (digits.size() > 2 || digits.starts_with('0')) return std::nullopt;
  for (const char c : digits) {
    if (!is_ascii_digit(c)) return std::nullopt;
    result.width = result.width * 10 + static_cast<std::size_t>(c - '0');
  }
  return result;
}

std::string level_text(Level level, LevelFormat format) {
  // Serilog's names of one to four letters; longer ones are cut from the full name.
  constexpr std::array<std::array<std::string_view, 4>, 6> abbreviations{{
      {"V", "Vb", "Vrb", "Verb"},
      {"D", "De", "Dbg", "Dbug"},
      {"I", "In", "Inf", "Info"},
      {"W", "Wn", "Wrn", "Warn"},
      {"E", "Er", "Err", "Eror"},
      {"F", "Fa", "Ftl", "Fatl"},
  }};
  const std::size_t index = level > Level::fatal ? 5 : static_cast<std::size_t>(level);
  std::string_view name = to_string(level);
  if (format.width >= 1 && format.width <= 4) {
    name = abbreviations[index][format.width - 1];
  } else if (format.width > 4) {
    name = name.substr(0, format.width);
  }
  std::string text(name);
  for (char& c : text) {
    if (format.letters == 'u' && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (format.letters == 'w' && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::string escaped_layout_text(std::string_view text) {
  OutputBuffer out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("\n\t"), text.size());
    format::append_text_escaped(out, text.substr(0, end));
    if (end < text.size()) out.append(text[end]);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::string(out.view());
}

namespace {

std::string quoted(std::string_view text) {
  OutputBuffer out;
  out.append('\'');
  format::append_text_escaped(out, text);
  out.append('\'');
  return std::string(out.view());
}

/// Finds every problem.
struct TemplateCheck {
  std::vector<std::string> problems{};

  void say(std::string what) { problems.push_back(std::move(what)); }

  void text(std::string_view run) {
    if (escaped_layout_text(run) != run) {
      say("the text " + quoted(run) +
          " holds a control character or invalid UTF-8; text takes printable characters, tabs and line ends (colours "
          "come from a theme)");
    }
  }

  void malformed(std::string_view raw, Malformed why) {
    switch (why) {
      case Malformed::unclosed:
        return say(quoted(raw) + " has no closing brace; a hole is {Name,alignment:format}, and {{ writes a brace");
      case Malformed::empty: return say(quoted(raw) + " has no name; a hole takes one, like {Message}");
      case Malformed::alignment:
        return say(quoted(raw) +
                   " has no whole number after the comma; an alignment is a width like 8, or -8 to pad on the right");
      case Malformed::alignment_over_cap:
        return say(quoted(raw) + " is too wide; an alignment takes up to " + std::to_string(max_alignment) +
                   " columns");
      case Malformed::name: break;
    }
    say(quoted(raw) + " holds no name; a name is letters, digits, _ and dots between, and {{ writes a brace");
  }

  void hole(const Hole& hole) {
    const std::string_view name = hole.name;
    const std::string_view format = hole.format;
    const std::string found = quoted(hole.raw) + ": ";
    if (hole.capture != '\0')
      say(found + hole.capture +
          " is of message templates, where an argument is captured; here a hole is {Name,alignment:format}");
    if (escaped_layout_text(format) != format) say(found + "the format holds a control character or invalid UTF-8");
    if (name == "Timestamp" || name == "UtcTimestamp") {
      if (!format.empty() && format.find('%') == std::string_view::npos) {
        return say(found + "the format has no field; it takes those of strftime, like %H:%M:%S, and %3f, %6f, %9f");
      }
      for (const std::string& error : format::time_format_errors(format))
        say(found + error + "; a time takes the fields of strftime, and %3f, %6f, %9f");
    } else if (name == "Level") {
      if (!parse_level_format(format)) {
        return say(found +
                   "the format is not one of a level; it takes u, w or t (upper, lower, title), then a width from 1 to "
                   "99, like u3");
      }
    } else if (name == "Message") {
      if (!format.empty() && !is_message_format(format))
        say(found + "the format is not one of a message; it takes l or lj");
    } else if (name == "Properties") {
      if (!format.empty() && !is_properties_format(format))
        say(found + "the format is not one of properties; it takes j or lj");
    } else if (name == "NewLine" || name == "Exception") {
      if (!format.empty() || hole.alignment != 0) say(found + std::string(name) + " takes no alignment and no format");
    } else if (name == "TraceId" || name == "SpanId" || name == "File" || name == "Line" || name == "EventId") {
      if (!format.empty()) say(found + std::string(name) + " takes no format");
    } else if (!parse_format_spec(format, FormatClass::any)) {
      say(found + "no kind of value takes the format " + quoted(format) + "; it takes those of std::format");
    }
  }
};

}  // namespace

std::vector<std::string> output_template_errors(std::string_view output_template) {
  TemplateCheck check;
  parse_template(output_template, check);
  return std::move(check.problems);
}

}  // namespace cairn::detail
