// The endings that Cairn adds to a log's name (compressed, unfinished, lock) are no endings of a log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>

#include "support/log_folder.hpp"

namespace {

using cairn::testing::LogFolder;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> problems_of(const std::string& path) {
  auto made = cairn::Configuration{}.write_to_file(path).with_name("f").try_create_logger();
  if (const auto* error = std::get_if<cairn::ConfigurationError>(&made)) return error->problems();
  return {};
}

TEST(FileEndings, that_cairn_adds_itself_are_refused) {
  const LogFolder folder;
  for (const std::string ending : {".gz", ".zst", ".lock", ".files", ".files.new", ".files.compressing"}) {
    for (const std::string name : {"a", "a.log", ""}) {
      const std::string path = folder.path(name + ending);
      EXPECT_THAT(
          problems_of(path),
          ElementsAre("sink f: the path " + path + " ends in " + ending +
                      ", which marks what Cairn makes of a log or keeps beside it; it takes "
                      "a name that ends in none of .gz, .zst, .lock, .files, .files.new and .files.compressing"));
    }
  }
  EXPECT_THAT(folder.names(), IsEmpty());
}

TEST(FileEndings, that_only_look_like_them_are_taken) {
  const LogFolder folder;
  for (const char* name : {"gz", "a.gz.log", "a.tmp.clef", "a.lock_", "agz", "a.tmp2"})
    EXPECT_THAT(problems_of(folder.path(name)), IsEmpty()) << name;
}

}  // namespace
