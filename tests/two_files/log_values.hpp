// Logs values in every way a value is captured. Each file has its own copy of what is here; what it makes of Cairn's
// templates they share.
#pragma once

#include <cairn/cairn.hpp>
#include <cairn/log_context.hpp>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace {

template <class T>
struct Part {
  T part;
};

/// As structures: any type with a structure.
template <class T>
void log_structure(const cairn::Logger& log, T value) {
  log.information("{@A}", value);
  log.information("{@A}", std::vector<T>{value});
  log.information("{@A}", std::optional<T>(value));
  log.information("{@A}", std::variant<int, T>(value));
  log.information("{@A}", std::pair<int, T>(1, value));
  log.information("{@A}", Part<T>{value});
  log.information(cairn::dynamic_template("{A} {@B}"), value, value);
  log.for_context("A", value).information("with a context");
}

/// As whatever has one form.
template <class T>
void log_pushed(const cairn::Logger& log, T value) {
  const auto pushed = cairn::LogContext::push("A", value);
  log.information("pushed");
}

/// As texts: any type with a string form.
template <class T>
void log_text(const cairn::Logger& log, T value) {
  log.information("{A}", value);
  log.information("{A}", std::vector<T>{value});
  log.information("{A}", std::optional<T>(value));
  log.information(cairn::dynamic_template("{A}"), value);
  log.for_context("A", value).information("with a context");
}

}  // namespace
