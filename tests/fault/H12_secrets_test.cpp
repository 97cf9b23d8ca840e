// H12, and section 5 of the fault catalogue: a canary by every way a value can take, and not a byte of it in any
// output, count, message of an error or copy of an event.
#include <gtest/gtest.h>

#include <atomic>
#include <cairn/all.hpp>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "support/every_output.hpp"

namespace {

using cairn::secret;
using cairn::Secret;
using cairn::testing::EveryOutput;

const std::string canary = "S3CR3T-0123456789-canary";

struct Login {
  std::string user;
  Secret<std::string> password;
};
struct Nested {
  Login login;
  std::vector<Login> more;
};

}  // namespace

struct Account {
  Secret<std::string> token;
};
template <>
struct cairn::Capture<Account> {
  static void capture(const Account& account, cairn::ValueWriter& out) {
    out.structure("Account", [&](auto& s) { s.member("Token", account.token); });
  }
};

namespace {

TEST(H12Secrets, leave_no_trace_by_any_of_their_ways) {
  cairn::Configuration configuration;
  std::string said;  // what Cairn says of itself
  configuration.enrich_with_property("FromProperty", secret(canary))
      .enrich_with([](cairn::EventBuilder& event) { event.add("FromEnricher", secret(canary)); })
      .on_internal_error([&](std::string_view message) { said += message; });
  configuration.write_to_callback(
      [](const cairn::Event& event) { throw std::runtime_error("the sink saw: " + event.message()); });
  EveryOutput out(configuration);
  const cairn::Logger log = out.log.for_context("FromLogger", secret(canary));
  const auto scope = cairn::LogContext::push("FromContext", secret(canary));
  const auto both = cairn::LogContext::push_properties({{"FromContexts", secret(canary)}});
  const Login login{"ann", Secret<std::string>(canary)};

  log.information("argument {A}", secret(canary));
  log.information(cairn::dynamic_template("named {@A}"), secret(canary));
  log.information("string form {$A}", secret(canary));
  log.information("aligned {A,30}", secret(canary));
  log.information("view {A}", secret(std::string_view(canary)));
  log.information("pointer {A}", secret(canary.c_str()));
  log.information("member {@A}", login);
  log.information("nested {@A}", Nested{login, {login, login}});
  log.information("string form of a structure {$A}", Nested{login, {login}});
  log.information("sequence {A}", std::vector{Secret<std::string>(canary)});
  log.information("dictionary {A}", std::map<std::string, Secret<std::string>>{{"k", Secret<std::string>(canary)}});
  log.information("optional {A}", std::optional(Secret<std::string>(canary)));
  log.information("variant {A}", std::variant<int, Secret<std::string>>(Secret<std::string>(canary)));
  log.information("tuple {A}", std::tuple(1, Secret<std::string>(canary)));
  log.information("shared {A}", std::make_shared<Secret<std::string>>(canary));
  log.information("capture {A}", Account{Secret<std::string>(canary)});
  log.information("exception {A}", 1);
  log.error(std::runtime_error("an error"), "with exception {A}", secret(canary));
  log.information(cairn::dynamic_template("dynamic {A:>40}"), secret(canary));
  log.information(cairn::dynamic_template("surplus"), secret(canary));
  CAIRN_INFORMATION(log, "macro {A}", secret(canary));
  log.information("number {A}", secret(4711424242));
  ASSERT_EQ(out.memory->size(), 22U);

  std::string everything = out.everything() + said;
  for (const cairn::OwnedEvent& event : out.memory->events()) {
    everything += event->message();
    everything += event->message(cairn::Rendering::classic);
    for (const cairn::Property& property : event->properties()) {
      cairn::OutputBuffer json;
      property.value.json_to(json);
      everything += std::string(property.name) + property.value.to_text() + std::string(json.view());
    }
  }
  for (const auto& sink : out.log.metrics().sinks) everything += sink.name + sink.last_error;
  EXPECT_EQ(everything.find(canary), std::string::npos);
  EXPECT_EQ(everything.find("S3CR3T"), std::string::npos);
  EXPECT_EQ(everything.find("4711424242"), std::string::npos);
  EXPECT_NE(everything.find("***"), std::string::npos);
  EXPECT_NE(said.find("the sink saw"), std::string::npos) << "the sink did fail";
  EXPECT_EQ(out.last()["FromProperty"], "***");
  EXPECT_EQ(out.last()["FromEnricher"], "***");
  EXPECT_EQ(out.last()["FromLogger"], "***");
  EXPECT_EQ(out.last()["FromContext"], "***");
  EXPECT_EQ(out.last()["FromContexts"], "***");
  out.expect_sound(22, 1);
}

TEST(H12Secrets, are_in_no_byte_of_an_owned_value_or_context) {
  const cairn::OwnedValue value(Login{"ann", Secret<std::string>(canary)});
  const std::byte* data = value.view().data();
  const std::byte* end = cairn::detail::skip_value(value.view().type(), data);
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(data), static_cast<std::size_t>(end - data)).find("S3CR3T"),
            std::string_view::npos);
  const auto scope = cairn::LogContext::push("P", secret(canary));
  EXPECT_EQ(cairn::LogContext::current("P")->view().to_text(), "***");
  EXPECT_LT(cairn::LogContext::size_bytes(), 32 + 1 + canary.size()) << "there is no room for it";
}

}  // namespace
