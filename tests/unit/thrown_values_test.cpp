// What is thrown and is no std::exception is told all the same.
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>

namespace {

struct ThrownValues : testing::Test {
  std::shared_ptr<cairn::MemorySink> sink = std::make_shared<cairn::MemorySink>();
  cairn::Logger log = cairn::Configuration{}.write_to(sink).create_logger();

  /// `@x` of an event that was logged with this.
  template <class T>
  std::string exception_text(T thrown) {
    sink->clear();
    log.error(std::make_exception_ptr(std::move(thrown)), "it failed");
    return nlohmann::json::parse(cairn::to_clef(sink->events().at(0).view())).at("@x");
  }
};

TEST_F(ThrownValues, that_are_texts_are_told_whole) {
  EXPECT_EQ(exception_text("disk on fire"), "const char*: disk on fire");
  EXPECT_EQ(exception_text(std::string("a \"text\"\nof two lines")), "std::string: a \"text\"\nof two lines");
  EXPECT_EQ(exception_text(std::string_view("seen")), "std::string_view: seen");
  EXPECT_EQ(exception_text(static_cast<const char*>(nullptr)), "const char*");
}

TEST_F(ThrownValues, that_are_numbers_are_told) {
  EXPECT_EQ(exception_text(42), "int: 42");
  EXPECT_EQ(exception_text(-7L), "long: -7");
  EXPECT_EQ(exception_text(7U), "unsigned int: 7");
  EXPECT_EQ(exception_text(1.5), "double: 1.5");
  EXPECT_EQ(exception_text('c'), "char: c");
  EXPECT_EQ(exception_text(true), "bool: true");
  EXPECT_EQ(exception_text(std::make_error_code(std::errc::no_such_file_or_directory)),
            "std::error_code: No such file or directory");
}

struct Opaque {};

TEST_F(ThrownValues, that_are_anything_else_are_told_by_their_type) {
  EXPECT_EQ(exception_text(Opaque{}), "(anonymous namespace)::Opaque");
}

TEST_F(ThrownValues, that_are_nested_in_exceptions_are_told) {
  std::exception_ptr outer;
  try {
    try {
      throw "the cause";
    } catch (...) {
      std::throw_with_nested(std::runtime_error("the effect"));
    }
  } catch (...) {
    outer = std::current_exception();
  }
  log.error(outer, "it failed");
  EXPECT_EQ(nlohmann::json::parse(cairn::to_clef(sink->events().at(0).view())).at("@x"),
            "std::runtime_error: the effect\n ---> const char*: the cause");
}

TEST_F(ThrownValues, that_are_arguments_are_told_too) {
  EXPECT_EQ(cairn::render("{E}", std::make_exception_ptr("why")).text, "const char*: why");
  EXPECT_EQ(cairn::render("{E}", std::make_exception_ptr(3)).text, "int: 3");
}

TEST_F(ThrownValues, are_properties) {
  log.error(std::make_exception_ptr(std::string("why")), "it failed");
  EXPECT_EQ(sink->events().at(0)->property("ExceptionType")->as_string(), "std::string");
  EXPECT_EQ(sink->events().at(0)->property("ExceptionMessage")->as_string(), "why");
}

}  // namespace
