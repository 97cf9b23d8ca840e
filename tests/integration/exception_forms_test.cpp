// Each function that logs takes a literal or a dynamic template, with or without an exception before it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using cairn::Level;

/// "Level|message|exception" of every event, in order.
std::vector<std::string> told(const cairn::MemorySink& sink) {
  std::vector<std::string> lines;
  for (const auto& event : sink.events()) {
    const cairn::ExceptionView thrown = event->exception();
    lines.push_back(std::string(cairn::to_string(event->level())) + '|' + event->message() + '|' +
                    (thrown ? std::string(thrown.message()) : "-"));
  }
  return lines;
}

#define CALL_EVERY_FORM(call)                                        \
  call("a {N}", 1);                                                  \
  call(exception, "b {N}", 2);                                       \
  call(pointer, "c {N}", 3);                                         \
  call(cairn::dynamic_template(std::string("d {N}")), 4);            \
  call(exception, cairn::dynamic_template(std::string("e {N}")), 5); \
  call(pointer, cairn::dynamic_template(std::string("f {N}")), 6);   \
  call(exception, cairn::dynamic_template("g"));                     \
  call(pointer, "h")

std::vector<std::string> expected(std::string_view level) {
  std::vector<std::string> lines{"|a 1|-",    "|b 2|what", "|c 3|held", "|d 4|-",
                                 "|e 5|what", "|f 6|held", "|g|what",   "|h|held"};
  for (std::string& line : lines) line.insert(0, level);
  return lines;
}

struct ExceptionForms : testing::Test {
  std::shared_ptr<cairn::MemorySink> sink = std::make_shared<cairn::MemorySink>();
  cairn::Logger log = cairn::Configuration{}.verbose().write_to(sink).create_logger();
  std::runtime_error exception{"what"};
  std::exception_ptr pointer = std::make_exception_ptr(std::logic_error("held"));

  void expect(Level level) {
    EXPECT_EQ(told(*sink), expected(cairn::to_string(level)));
    sink->clear();
  }
};

TEST_F(ExceptionForms, are_taken_by_every_function_of_a_logger) {
  CALL_EVERY_FORM(log.verbose);
  expect(Level::verbose);
  CALL_EVERY_FORM(log.debug);
  expect(Level::debug);
  CALL_EVERY_FORM(log.information);
  expect(Level::information);
  CALL_EVERY_FORM(log.info);
  expect(Level::information);
  CALL_EVERY_FORM(log.warning);
  expect(Level::warning);
  CALL_EVERY_FORM(log.warn);
  expect(Level::warning);
  CALL_EVERY_FORM(log.error);
  expect(Level::error);
  CALL_EVERY_FORM(log.fatal);
  expect(Level::fatal);
}

TEST_F(ExceptionForms, are_taken_by_write_at_a_level_chosen_at_run_time) {
#define WRITE(...) log.write(Level::error, __VA_ARGS__)
  CALL_EVERY_FORM(WRITE);
  expect(Level::error);
#undef WRITE
}

TEST_F(ExceptionForms, are_taken_by_the_functions_of_the_process_wide_logger) {
  cairn::set_logger(log);
  CALL_EVERY_FORM(cairn::verbose);
  expect(Level::verbose);
  CALL_EVERY_FORM(cairn::debug);
  expect(Level::debug);
  CALL_EVERY_FORM(cairn::information);
  expect(Level::information);
  CALL_EVERY_FORM(cairn::info);
  expect(Level::information);
  CALL_EVERY_FORM(cairn::warning);
  expect(Level::warning);
  CALL_EVERY_FORM(cairn::warn);
  expect(Level::warning);
  CALL_EVERY_FORM(cairn::error);
  expect(Level::error);
  CALL_EVERY_FORM(cairn::fatal);
  expect(Level::fatal);
#define WRITE(...) cairn::write(Level::warning, __VA_ARGS__)
  CALL_EVERY_FORM(WRITE);
  expect(Level::warning);
#undef WRITE
  cairn::set_logger(cairn::Logger());
}

}  // namespace
