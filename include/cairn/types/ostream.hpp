// Types with an `operator<<` to std::ostream and no other form: their string form.
#pragma once

#include <concepts>
#include <ostream>
#include <sstream>
#include <string>

#include "cairn/capture.hpp"

namespace cairn {

template <class T>
requires(std::is_class_v<T>&& requires(std::ostream& out, const T& value) {
  { out << value } -> std::convertible_to<std::ostream&>;
}) struct StringForm<T> {
  static void write(const T& value, std::string& out) {
    std::ostringstream stream;
    stream << value;
    out += std::move(stream).str();
  }
};

}  // namespace cairn
