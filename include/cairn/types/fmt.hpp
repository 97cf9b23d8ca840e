// Types with a fmt::formatter and no other form: their string form. What a Capture captures stays that, as with
// cairn/types/ostream.hpp. Needs {fmt}'s headers, which nothing else of Cairn's does.
#pragma once

#include <fmt/format.h>

#include <iterator>
#include <ostream>
#include <string>

#include "cairn/capture.hpp"

namespace cairn {

template <class T>
requires(std::is_class_v<T> && !detail::HasCapture<T> && fmt::is_formattable<T>::value &&
         !requires(std::ostream & out, const T& value) { out << value; }) struct StringForm<T> {
  static void write(const T& value, std::string& out) { fmt::format_to(std::back_inserter(out), "{}", value); }
};

}  // namespace cairn
