// Types with an `operator<<` to std::ostream and no other form: their string form. What a Capture captures stays that:
// whoever wants both specialises cairn::StringForm, in place of what happens to be included. std::thread::id is a
// number, with or without this header.
#pragma once

#include <concepts>
#include <ostream>
#include <sstream>
#include <string>

#include "cairn/capture.hpp"
#include "cairn/types/thread_id.hpp"

namespace cairn {

template <class T>
requires(std::is_class_v<T> && !detail::HasCapture<T> && requires(std::ostream & out, const T& value) {
  { out << value } -> std::convertible_to<std::ostream&>;
}) struct StringForm<T> {
  static void write(const T& value, std::string& out) {
    std::ostringstream stream;
    stream << value;
    out += std::move(stream).str();
  }
};

}  // namespace cairn
