// tests/template_vectors.tsv and hostile_template_vectors.tsv, row by row: a template, its arguments, and what they
// must come to.
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cairn/detail/template_parser.hpp"
#include "cairn/render.hpp"

namespace {

/// An argument as the vectors write it.
struct Argument {
  enum class Kind { null, boolean, whole, positive, real, text, character, bytes, list, dictionary, structure };
  Kind kind = Kind::null;
  bool truth = false;
  std::int64_t whole = 0;
  std::uint64_t positive = 0;
  double real = 0;
  std::string text;  // also a structure's type
  std::vector<Argument> parts;
  std::vector<Argument> keys;
};

}  // namespace

template <>
struct cairn::Capture<Argument> {
  static void capture(const Argument& a, cairn::ValueWriter& out) {
    using enum Argument::Kind;
    switch (a.kind) {
      case null: return out.null();
      case boolean: return out.value(a.truth);
      case whole: return out.value(a.whole);
      case positive: return out.value(a.positive);
      case real: return out.value(a.real);
      case text: return out.value(a.text);
      case character: return out.value(a.text.at(0));
      case bytes: return out.value(std::vector<unsigned char>(a.text.begin(), a.text.end()));
      case list:
        return out.sequence([&](auto& s) {
          for (const Argument& part : a.parts) s.element(part);
        });
      case dictionary:
        return out.dictionary([&](auto& d) {
          for (std::size_t i = 0; i < a.parts.size(); ++i) d.entry(a.keys[i], a.parts[i]);
        });
      case structure:
        return out.structure(a.text, [&](auto& s) {
          for (std::size_t i = 0; i < a.parts.size(); ++i) s.member(a.keys[i].text, a.parts[i]);
        });
    }
  }
};

namespace {

class ArgumentReader {
 public:
  explicit ArgumentReader(std::string text) : text_(std::move(text)) {}

  std::vector<Argument> all() {
    std::vector<Argument> arguments;
    if (text_ == "-") return arguments;
    do arguments.push_back(one());
    while (take(";"));
    if (at_ != text_.size()) throw std::runtime_error("cannot read arguments: " + text_);
    return arguments;
  }

 private:
  void blanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool take(const std::string& what) {
    blanks();
    if (text_.compare(at_, what.size(), what) != 0) return false;
    at_ += what.size();
    return true;
  }
  std::string until(char end) {
    const std::size_t stop = text_.find(end, at_);
    std::string part = text_.substr(at_, stop - at_);
    at_ = stop + 1;
    return part;
  }
  static Argument of(Argument::Kind kind, std::string text = {}) {
    Argument a;
    a.kind = kind;
    a.text = std::move(text);
    return a;
  }
  Argument one() {
    using enum Argument::Kind;
    if (take("null")) return of(null);
    if (take("true") || take("false")) {
      Argument a = of(boolean);
      a.truth = text_[at_ - 2] == 'u';
      return a;
    }
    if (take("obj<")) return of(text, until('>'));
    if (take("bytes:")) {
      Argument a = of(bytes);
      for (; at_ + 1 < text_.size() && std::isxdigit(text_[at_]) != 0; at_ += 2)
        a.text += static_cast<char>(std::stoi(text_.substr(at_, 2), nullptr, 16));
      return a;
    }
    if (take("'")) {
      Argument a = of(character, text_.substr(at_, 1));
      at_ += 2;
      return a;
    }
    if (take("\"")) {
      Argument a = of(text);
      for (; text_.at(at_) != '"'; ++at_) {
        if (text_[at_] == '\\') ++at_;
        a.text += text_[at_];
      }
      ++at_;
      return a;
    }
    if (take("[")) {
      Argument a = of(list);
      if (take("]")) return a;
      do a.parts.push_back(one());
      while (take(","));
      take("]");
      return a;
    }
    if (take("{")) return parts(of(dictionary));
    if (std::isalpha(static_cast<unsigned char>(text_.at(at_))) != 0) return parts(of(structure, until('{')));
    return number();
  }
  Argument parts(Argument a) {
    if (take("}")) return a;
    do {
      blanks();
      a.keys.push_back(a.kind == Argument::Kind::dictionary ? one() : of(Argument::Kind::text, name()));
      take(":");
      a.parts.push_back(one());
    } while (take(","));
    take("}");
    return a;
  }
  std::string name() {
    std::string name;
    while (text_.at(at_) != ':') name += text_[at_++];
    return name;
  }
  Argument number() {
    std::string digits;
    while (at_ < text_.size() && std::string("+-.0123456789e").find(text_[at_]) != std::string::npos)
      digits += text_[at_++];
    Argument a;
    if (digits.find_first_of(".e") != std::string::npos) {
      a.kind = Argument::Kind::real;
      a.real = std::stod(digits);
    } else if (digits.starts_with('-')) {
      a.kind = Argument::Kind::whole;
      a.whole = std::stoll(digits);
    } else {
      a.kind = Argument::Kind::positive;
      a.positive = std::stoull(digits);
    }
    return a;
  }

  std::string text_;
  std::size_t at_ = 0;
};

std::string plain(std::string field) {
  const auto replace = [&](const std::string& from, const std::string& to) {
    for (std::size_t at = 0; (at = field.find(from, at)) != std::string::npos; at += to.size())
      field.replace(at, from.size(), to);
  };
  replace("¦", "|");
  replace("␤", "\n");
  replace("␀", "");
  const std::string open = "⟨";
  const std::string close = "⟩";
  for (std::size_t at = 0; (at = field.find(open, at)) != std::string::npos;) {
    const std::size_t end = field.find(close, at);
    const std::string content = field.substr(at + open.size(), end - at - open.size());
    std::string bytes;
    if (const std::size_t star = content.rfind('*'); star != std::string::npos) {
      for (int n = std::stoi(content.substr(star + 1)); n > 0; --n) bytes += content.substr(0, star);
    } else {
      for (std::size_t i = 0; i < content.size(); i += 2)
        bytes += static_cast<char>(std::stoi(content.substr(i, 2), nullptr, 16));
    }
    field.replace(at, end + close.size() - at, bytes);
    at += bytes.size();
  }
  return field;
}

std::vector<std::vector<std::string>> rows(const std::string& name) {
  std::ifstream file(std::string(CAIRN_SOURCE_DIR) + "/tests/" + name);
  std::vector<std::vector<std::string>> all;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> fields(1);
    for (const char c : line) {
      if (c == '\t')
        fields.emplace_back();
      else
        fields.back() += c;
    }
    for (std::string& field : fields) field = plain(field);
    all.push_back(std::move(fields));
  }
  return all;
}

/// The text as a JSON reader has it: U+FFFD in place of what is no UTF-8.
std::string as_read(const std::string& text) {
  return nlohmann::json::parse(nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void expect_every_row_holds(const std::vector<std::vector<std::string>>& all) {
  for (const auto& row : all) {
    ASSERT_EQ(row.size(), 7U) << row[0];
    SCOPED_TRACE(row[0] + ": " + row[6] + ": " + row[1].substr(0, 200));
    const std::vector<Argument> arguments = ArgumentReader(row[2]).all();
    std::vector<cairn::OwnedValue> owned;
    for (const Argument& a : arguments) owned.emplace_back(a);
    std::vector<cairn::Value> values;
    for (const auto& value : owned) values.push_back(value.view());

    const auto parsed = cairn::MessageTemplate::parse(row[1]);
    EXPECT_EQ(parsed.text(), row[1]);
    EXPECT_EQ(parsed.render(values, cairn::Rendering::classic), row[3]);
    const cairn::Rendered literal = parsed.bind(values);
    EXPECT_EQ(literal.text, row[4] == "=" ? row[3] : row[4]);

    auto expected = nlohmann::ordered_json::parse(row[5]);
    auto properties = nlohmann::ordered_json::parse(literal.clef());
    EXPECT_EQ(properties["@mt"], as_read(row[1]));
    properties.erase("@mt");
    properties.erase("@r");
    // V-rows of the sample leave surplus arguments out of their properties
    if (row[0].size() == 3) {
      for (std::size_t i = 0; i < values.size(); ++i) properties.erase("__" + std::to_string(i));
      EXPECT_EQ(nlohmann::json(properties), nlohmann::json(expected));
    } else {
      EXPECT_EQ(properties.dump(), expected.dump());
    }
    EXPECT_EQ(literal.properties.size() - (row[0].size() == 3 ? literal.properties.size() - properties.size() : 0),
              properties.size());
  }
}

TEST(TemplateVectors, every_row_renders_and_binds_as_it_says) {
  const auto all = rows("template_vectors.tsv");
  ASSERT_GT(all.size(), 100U);
  expect_every_row_holds(all);
}

TEST(TemplateVectors, every_hostile_row_renders_and_binds_as_it_says) {
  const auto all = rows("hostile_template_vectors.tsv");
  ASSERT_GT(all.size(), 100U);
  expect_every_row_holds(all);
}

/// Everything a parse says, as one number.
struct Digest {
  std::uint64_t value = 14695981039346656037U;
  constexpr void add(std::uint64_t part) { value = (value ^ part) * 1099511628211U; }
  constexpr void add(std::string_view part) {
    for (const char c : part) add(std::uint64_t{static_cast<unsigned char>(c)});
    add(part.size() + 256);
  }
  constexpr void text(std::string_view run) {
    add(1U);
    add(run);
  }
  constexpr void malformed(std::string_view raw, cairn::detail::Malformed why) {
    add(2U + static_cast<std::uint64_t>(why));
    add(raw);
  }
  constexpr void hole(const cairn::detail::Hole& hole) {
    add(16U + static_cast<unsigned char>(hole.capture) + (hole.positional ? 256U : 0U));
    add(hole.name);
    add(hole.format);
    add(static_cast<std::uint64_t>(hole.alignment));
    add(hole.index);
  }
};
constexpr std::uint64_t digest(std::string_view text) {
  Digest digest;
  cairn::detail::parse_template(text, digest);
  return digest.value;
}

struct ParsedLiteral {
  std::string_view id;
  std::string_view text;
  std::uint64_t digest;
};
template <std::size_t N>
constexpr ParsedLiteral parsed_literal(std::string_view id, const char (&literal)[N]) {
  const std::string_view text(literal, N - 1);
  return {id, text, digest(text)};
}
// The rows of both files, but for the longest ones, as literals.
constexpr ParsedLiteral literals[] = {
#define CAIRN_TEST_VECTOR(id, literal) parsed_literal(id, literal),
#include "template_vector_literals.inc"
#undef CAIRN_TEST_VECTOR
};

TEST(TemplateVectors, every_row_parses_when_it_is_compiled_as_it_does_when_it_runs) {
  std::map<std::string, std::string> texts;
  for (const char* name : {"template_vectors.tsv", "hostile_template_vectors.tsv"}) {
    for (const auto& row : rows(name)) texts[row[0]] = row[1];
  }
  std::size_t compared = 0;
  for (const ParsedLiteral& literal : literals) {
    const auto row = texts.find(std::string(literal.id));
    ASSERT_NE(row, texts.end()) << literal.id;
    EXPECT_EQ(row->second, literal.text) << literal.id;
    EXPECT_EQ(digest(row->second), literal.digest) << literal.id;
    ++compared;
  }
  EXPECT_GT(compared + 20, texts.size());
}

#define EXPECT_BOTH_AGREE(template_text, ...)                                                           \
  do {                                                                                                  \
    const cairn::Rendered literal = cairn::render(template_text, __VA_ARGS__);                          \
    const cairn::Rendered dynamic = cairn::render(cairn::dynamic_template(template_text), __VA_ARGS__); \
    EXPECT_EQ(literal.text, dynamic.text);                                                              \
    EXPECT_EQ(literal.clef(), dynamic.clef());                                                          \
  } while (false)

TEST(TemplateVectors, a_literal_comes_to_what_the_same_dynamic_template_does) {
  EXPECT_BOTH_AGREE("{{Name}} {Name}", "Alice");
  EXPECT_BOTH_AGREE("a }}} b {N}", -7);
  EXPECT_BOTH_AGREE("{1}, {0}", "world", "Hello");
  EXPECT_BOTH_AGREE("{0} {0} {00}", 1);
  EXPECT_BOTH_AGREE("|{N,-5:03d}|{F,8:.2f}|", 42, 3.14159);
  EXPECT_BOTH_AGREE("{@L} {$N}", (std::vector<int>{1, 2}), 5);
  EXPECT_BOTH_AGREE("{a.b} {Größe}", 1, true);
  EXPECT_BOTH_AGREE("{World}}!", 1);
  EXPECT_BOTH_AGREE("{N:}", 7);
  EXPECT_BOTH_AGREE("{M}", (std::map<std::string, int>{{"k", 1}}));
}

}  // namespace
