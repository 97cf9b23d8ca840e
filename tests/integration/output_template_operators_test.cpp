// An output template captures nothing: the operators of message templates are mistakes in it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <string>
#include <variant>
#include <vector>

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> problems(const std::string& output_template) {
  const auto made = cairn::Configuration{}
                        .write_to_console({.output_template = output_template})
                        .with_name("out")
                        .try_create_logger();
  const auto* error = std::get_if<cairn::ConfigurationError>(&made);
  return error != nullptr ? error->problems() : std::vector<std::string>{};
}

TEST(OutputTemplateOperators, are_mistakes_named_with_their_hole) {
  EXPECT_THAT(problems("{@Message}{NewLine}"),
              ElementsAre("sink out: output_template: '{@Message}': @ is of message templates, where an argument is "
                          "captured; here a hole is {Name,alignment:format}"));
  EXPECT_THAT(problems("{$User,10:u} {@Order} {Level}{NewLine}"),
              ElementsAre(HasSubstr("'{$User,10:u}': $ is of message templates"), HasSubstr("'{@Order}': @ is of")));
}

TEST(OutputTemplateOperators, do_not_hide_another_mistake_of_their_hole) {
  EXPECT_THAT(problems("{@Level:x3}"),
              ElementsAre(HasSubstr("'{@Level:x3}': @ is of"), HasSubstr("'{@Level:x3}': the format")));
}

TEST(OutputTemplateOperators, may_stand_in_the_text) {
  EXPECT_THAT(problems("@ $ {{@Message}} {Message}{NewLine}"), IsEmpty());
}

}  // namespace
