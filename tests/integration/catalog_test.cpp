// The catalogue of the running process.
#include "cairn/catalog.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "../support/kept_events.hpp"
#include "cairn/macros.hpp"

namespace {

using cairn::CatalogEvent;
using cairn::CatalogForm;
using cairn::testing_support::KeptEvents;

std::vector<CatalogEvent> listed(const std::string& message_template) {
  std::vector<CatalogEvent> events = cairn::catalog();
  std::erase_if(events, [&](const CatalogEvent& event) { return event.message_template != message_template; });
  return events;
}

void never_called(const cairn::Logger& log, int amount) {
  CAIRN_WARNING(log, "the catalogue of {Amount} macros", amount);
}
constexpr unsigned line_of_macro = __LINE__ - 2;

TEST(Catalog, lists_a_macro_that_never_ran) {
  auto* volatile kept = &never_called;
  ASSERT_NE(kept, nullptr);
  const std::vector<CatalogEvent> events = listed("the catalogue of {Amount} macros");
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].level, cairn::Level::warning);
  EXPECT_EQ(events[0].form, CatalogForm::macro);
  EXPECT_EQ(events[0].event_id, 0x641ac2d0U);
  EXPECT_EQ(events[0].properties, (std::vector<cairn::CatalogProperty>{{"Amount", "int"}}));
  EXPECT_TRUE(events[0].file.ends_with("catalog_test.cpp"));
  EXPECT_EQ(events[0].line, line_of_macro);
  EXPECT_NE(events[0].function.find("never_called"), std::string::npos);
}

TEST(Catalog, lists_a_function_call_once_it_was_used_and_only_once) {
  KeptEvents kept;
  const auto call = [&](bool used) {
    if (used) kept.log.error("the catalogue of {Amount} functions", 1.5);
  };
  call(false);
  EXPECT_TRUE(listed("the catalogue of {Amount} functions").empty());
  call(true);
  call(true);
  const std::vector<CatalogEvent> events = listed("the catalogue of {Amount} functions");
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].level, cairn::Level::error);
  EXPECT_EQ(events[0].form, CatalogForm::function);
  EXPECT_EQ(events[0].properties, (std::vector<cairn::CatalogProperty>{{"Amount", "double"}}));
  EXPECT_TRUE(events[0].file.ends_with("catalog_test.cpp"));
}

TEST(Catalog, does_not_list_dynamic_templates) {
  KeptEvents kept;
  kept.log.information(cairn::dynamic_template("the catalogue of {Amount} texts"), 1);
  EXPECT_EQ(kept.all("Amount"), (std::vector<std::string>{"1"}));
  EXPECT_TRUE(listed("the catalogue of {Amount} texts").empty());
}

TEST(Catalog, of_the_process_has_what_that_of_its_file_has) {
  std::vector<CatalogEvent> running = cairn::catalog();
  std::erase_if(running, [](const CatalogEvent& event) { return event.form == CatalogForm::function; });
  EXPECT_EQ(running, cairn::read_catalog("/proc/self/exe"));
  EXPECT_GT(running.size(), 3U);
}

TEST(Catalog, says_what_is_wrong_with_a_file) {
  const auto error = [](const std::string& path) -> std::string {
    try {
      (void)cairn::read_catalog(path);
    } catch (const cairn::CatalogError& e) {
      return e.what();
    }
    return "nothing";
  };
  EXPECT_EQ(error("/nowhere/at/all"), "/nowhere/at/all: No such file or directory");
  EXPECT_EQ(error("/"), "/: not a regular file");
  EXPECT_EQ(error("/etc/passwd"), "/etc/passwd: not an ELF file");
}

TEST(Catalog, writes_an_event_as_a_line_and_as_json) {
  const CatalogEvent event{.message_template = "Hello, {User}\n",
                           .level = cairn::Level::information,
                           .event_id = 0x0482b02f,
                           .form = CatalogForm::function,
                           .properties = {{"User", "string"}, {"N", "[int]"}},
                           .file = "a.cpp",
                           .line = 7,
                           .function = "int \"main\""};
  EXPECT_EQ(to_text(event), "0482b02f INF  Hello, {User}\\n  (User: string, N: [int])  a.cpp:7");
  EXPECT_EQ(to_json(event),
            R"({"template":"Hello, {User}\n","level":"Information","id":"0482b02f","form":"function","properties":)"
            R"([{"name":"User","type":"string"},{"name":"N","type":"[int]"}],"file":"a.cpp","line":7,)"
            R"("function":"int \"main\""})");
}

}  // namespace
