// Sites that are found again without a look at their texts.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <source_location>
#include <string>

#include "cairn/detail/record.hpp"
#include "capture/site_table.hpp"

namespace {

using namespace cairn::detail;

struct FunctionRecord {
  RecordHeader header;
  FunctionFormHeader function;
};

FunctionRecord function_record(const char* text, const ValueType* const* types,
                               std::source_location location = std::source_location::current()) {
  FunctionRecord record{{}, {location, types}};
  record.header.size_and_flags = sizeof(record) / 8 << RecordHeader::size_shift | RecordHeader::function_form |
                                 static_cast<std::uint32_t>(cairn::Level::information);
  record.header.site = text;
  return record;
}

TEST(RecentSites, are_those_that_the_table_has) {
  static const CallSite site = CallSite::of("Took {Milliseconds} ms", type_pack<int>, cairn::Level::warning, {});
  RecordHeader record;
  record.site = &site;
  RecentSites recent;
  std::shared_ptr<const BoundTemplate> dynamic;
  EXPECT_EQ(&recent.of(record, dynamic), &bound_site(site));
  EXPECT_EQ(&recent.of(record, dynamic), &bound_site(site));
}

TEST(RecentSites, tell_apart_calls_whose_texts_the_linker_made_one) {
  static const char text[] = "The value is {Value}";
  RecentSites recent;
  std::shared_ptr<const BoundTemplate> dynamic;
  const FunctionRecord number = function_record(text, type_pack<int>);
  const FunctionRecord words = function_record(text, type_pack<const char*>, number.function.location);
  const FunctionRecord elsewhere = function_record(text, type_pack<int>);
  const BoundTemplate* const of_number = &recent.of(number.header, dynamic);
  const BoundTemplate* const of_words = &recent.of(words.header, dynamic);
  EXPECT_NE(of_number, of_words);
  EXPECT_NE(recent.of(number.header, dynamic).place().line, recent.of(elsewhere.header, dynamic).place().line);
  EXPECT_EQ(&recent.of(number.header, dynamic), of_number);
  EXPECT_EQ(&recent.of(words.header, dynamic), of_words);
}

TEST(RecentSites, are_as_many_as_there_are) {
  static std::array<CallSite, 100> sites{};
  static std::array<std::string, 100> texts;
  RecentSites recent;
  std::shared_ptr<const BoundTemplate> dynamic;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    texts[i] = "Number " + std::to_string(i);
    sites[i] = CallSite::of(texts[i], type_pack<>, cairn::Level::information, {});
  }
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < sites.size(); ++i) {
      RecordHeader record;
      record.site = &sites[i];
      ASSERT_EQ(recent.of(record, dynamic).text(), texts[i]);
    }
  }
}

}  // namespace
