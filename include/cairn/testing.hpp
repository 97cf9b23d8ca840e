// Matchers for the tests of programs that log (needs GoogleMock).
//
//   auto sink = std::make_shared<cairn::MemorySink>();
//   …
//   EXPECT_THAT(*sink, cairn::testing::logged(cairn::Level::error, "Payment of {OrderId} failed").with("OrderId", 7));
//   EXPECT_THAT(*sink, Not(cairn::testing::logged(cairn::Level::fatal)));
#pragma once

#include <gmock/gmock.h>

#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cairn/memory_sink.hpp"

namespace cairn::testing {

/// Matches a MemorySink (or a shared_ptr to one; null matches nothing) that holds at least one event which fits; when
/// none does, the failure shows what was logged, each event up to 1000 bytes. Copyable; safe to use from several tests.
class Logged {
 public:
  using is_gtest_matcher = void;

  explicit Logged(std::optional<Level> level = std::nullopt, std::optional<std::string> message_template = std::nullopt)
      : level_(level), template_(std::move(message_template)) {}

  /// … and whose property `name` equals `value`, type and all: `true` is not 1; enumerators equal by their names,
  /// dictionaries whatever their order. NaN is NaN here, wherever it stands.
  template <class T>
  [[nodiscard]] Logged with(std::string name, const T& value) const {
    Logged more = *this;
    more.properties_.emplace_back(std::move(name), OwnedValue(value));
    return more;
  }
  /// … and whose message is `text`.
  [[nodiscard]] Logged with_message(std::string text) const {
    Logged more = *this;
    more.message_ = std::move(text);
    return more;
  }
  /// … and which carries an exception of that type (as C++ spells it; empty: any).
  [[nodiscard]] Logged with_exception(std::string type = {}) const {
    Logged more = *this;
    more.exception_ = std::move(type);
    return more;
  }

  [[nodiscard]] bool matches(const Event& event) const {
    if (level_ && event.level() != *level_) return false;
    if (template_ && event.message_template() != *template_) return false;
    if (message_ && event.message() != *message_) return false;
    if (exception_ && (!event.exception() || (!exception_->empty() && event.exception().type() != *exception_)))
      return false;
    for (const auto& [name, value] : properties_) {
      const auto found = event.property(name);
      if (!found || !found->is_same_as(value.view())) return false;
    }
    return true;
  }

  bool MatchAndExplain(const MemorySink& sink, std::ostream* why) const {
    const auto events = sink.events();
    for (const OwnedEvent& event : events) {
      if (matches(event.view())) return true;
    }
    if (why != nullptr) {
      *why << "which holds " << events.size() << (events.size() == 1 ? " event" : " events");
      for (const OwnedEvent& event : events) *why << "\n  " << cut(to_clef(event.view()));
    }
    return false;
  }
  bool MatchAndExplain(const std::shared_ptr<MemorySink>& sink, std::ostream* why) const {
    if (sink) return MatchAndExplain(*sink, why);
    if (why != nullptr) *why << "which is null";
    return false;
  }

  void DescribeTo(std::ostream* out) const { describe(out, "holds an event"); }
  void DescribeNegationTo(std::ostream* out) const { describe(out, "holds no event"); }

 private:
  /// The first 1000 bytes or so, and how many there are more.
  static std::string cut(std::string text) {
    constexpr std::size_t most = 1000;
    if (text.size() <= most) return text;
    std::size_t kept = most;
    while ((static_cast<unsigned char>(text[kept]) & 0xC0U) == 0x80U && kept > most - 3) --kept;  // whole characters
    const std::string rest = std::to_string(text.size() - kept);
    text.resize(kept);
    return text + "…(+" + rest + " bytes)";
  }

  void describe(std::ostream* out, std::string_view what) const {
    *out << what;
    if (level_) *out << " of level " << to_string(*level_);
    if (template_) *out << " of template \"" << cut(*template_) << '"';
    if (message_) *out << " with message \"" << cut(*message_) << '"';
    if (exception_) *out << " with an exception " << *exception_;
    for (const auto& [name, value] : properties_) *out << ", " << name << " = " << cut(value.view().to_text());
  }

  std::optional<Level> level_;
  std::optional<std::string> template_;
  std::optional<std::string> message_;
  std::optional<std::string> exception_;
  std::vector<std::pair<std::string, OwnedValue>> properties_;
};

[[nodiscard]] inline Logged logged(Level level) { return Logged(level); }
[[nodiscard]] inline Logged logged(Level level, std::string message_template) {
  return Logged(level, std::move(message_template));
}
[[nodiscard]] inline Logged logged(std::string message_template) {
  return Logged(std::nullopt, std::move(message_template));
}

}  // namespace cairn::testing
