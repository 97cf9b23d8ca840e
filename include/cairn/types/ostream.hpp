// Types with an `operator<<` to std::ostream: their string form. An aggregate has it beside its structure, any other
// type that Cairn does not know in place of one. The operator stands beside the type, in its namespace or as its
// friend, and takes a std::ostream&. What a stream takes only as something that it converts to (a lambda or a class
// with an `operator bool` as a bool, a handle as its number) has no operator: CAIRN014, as ever.
//
// Include this wherever such a type is logged: a file that does not is a compile error (CAIRN014, CAIRN017), so that no
// two files capture a type in two ways. What a Capture captures stays that: whoever wants a string form too specialises
// cairn::StringForm. std::thread::id is a number, with or without this header.
//
// An aggregate whose operator is found in another way only (one for any std::basic_ostream, or of what it converts to)
// has a string form where that is said, beside the type:
//   template <> struct cairn::StringForm<Order> : cairn::OstreamForm<Order> {};
#pragma once

#include <ostream>
#include <sstream>
#include <string>
#include <utility>

#include "cairn/capture.hpp"
#include "cairn/detail/own_stream_operator.hpp"
#include "cairn/detail/stream_operator.hpp"
#include "cairn/types/thread_id.hpp"

namespace cairn {

/// The string form of `T` by its operator<<, to derive a StringForm from.
template <class T>
struct OstreamForm {
  static void write(const T& value, std::string& out) {
    std::ostringstream stream;
    detail::stream_operator::write(stream, value);
    out += std::move(stream).str();
  }
};

template <class T>
requires(!detail::HasCapture<T> && (detail::stream_operator::AggregateWithOperator<T> ||
                                    detail::stream_operator::OtherWithOperator<T>)) struct StringForm<T>
    : OstreamForm<T> {
};

}  // namespace cairn
