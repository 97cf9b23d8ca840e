// A library that logged and was closed: what it logged, and what is known of its call sites, is there all the same.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cairn/all.hpp>
#include <memory>

namespace {
using ::testing::Contains;
using ::testing::HasSubstr;

/// Takes no event before it is opened.
class Gate final : public cairn::Sink {
 public:
  cairn::EmitResult emit(std::span<const cairn::Event> events) override {
    open_.wait(false);
    for (const cairn::Event& event : events) {
      lines.push_back(cairn::to_clef(event));
      kept.emplace_back(event);
    }
    return cairn::EmitResult::all(events);
  }
  void open() {
    open_ = true;
    open_.notify_all();
  }
  std::vector<std::string> lines;
  std::vector<cairn::OwnedEvent> kept;

 private:
  std::atomic<bool> open_{false};
};

void load_and_close(const cairn::Logger& log, int calls) {
  void* const library = ::dlopen(CAIRN_PLUGIN, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << ::dlerror();
  const auto work = reinterpret_cast<void (*)(const cairn::Logger&, int)>(::dlsym(library, "log_from_plugin"));
  ASSERT_NE(work, nullptr);
  work(log, calls);
  ASSERT_EQ(::dlclose(library), 0);
}

TEST(P6ClosedLibrary, loses_nothing_that_is_still_in_a_queue) {
  const auto sink = std::make_shared<Gate>();
  cairn::Configuration config;
  config.write_to(sink, "gate").with_queue();
  const cairn::Logger log = config.create_logger();
  load_and_close(log, 100);
  sink->open();
  ASSERT_EQ(log.flush().status, cairn::FlushStatus::ok);
  log.close();
  ASSERT_EQ(sink->lines.size(), 200U);
  EXPECT_THAT(sink->lines, Contains(HasSubstr(R"("N":99,"Part":{"name":"wheel","colour":0)")));
  EXPECT_EQ(cairn::to_clef(sink->kept.back().view()), sink->lines.back());
}

TEST(P6ClosedLibrary, leaves_the_values_that_it_made) {
  void* const library = ::dlopen(CAIRN_VALUE_PLUGIN, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << ::dlerror();
  const auto make = reinterpret_cast<cairn::OwnedValue* (*)()>(::dlsym(library, "value_from_plugin"));
  ASSERT_NE(make, nullptr);
  const std::unique_ptr<cairn::OwnedValue> value(make());
  ASSERT_EQ(::dlclose(library), 0);
  EXPECT_EQ(value->view().to_text(), R"({"name":"wheel","weight":7,"$type":"Part"})");
}

TEST(P6ClosedLibrary, stays_in_the_catalogue) {
  const auto sink = std::make_shared<cairn::MemorySink>();
  cairn::Configuration config;
  config.write_to(sink);
  const cairn::Logger log = config.create_logger();
  load_and_close(log, 1);
  std::vector<std::string> templates;
  for (const auto& entry : cairn::catalog()) templates.push_back(cairn::to_text(entry));
  EXPECT_THAT(templates, Contains(AllOf(HasSubstr("Function {N}"), HasSubstr("plugin.cpp"))));
  EXPECT_THAT(templates, Contains(AllOf(HasSubstr("Macro {N}"), HasSubstr("plugin.cpp"))));
}

}  // namespace
