// Has a type an `operator<<` to std::ostream? The answer for an aggregate is the same in every file of a program,
// whether or not it includes <ostream>: it decides how the aggregate is captured, or that it is not.
#pragma once

#include <concepts>
#include <iosfwd>
#include <type_traits>

namespace cairn::detail::stream_operator {

// An operator of this namespace hides those of all around it: of the others only those beside the type are found, and
// no one that happens to be declared before this line.
struct Nothing {};
void operator<<(Nothing, Nothing);

/// In place of a std::ostream, whose own operators, those for numbers and texts, would take what converts to one. They
/// are known only where <ostream> is included.
struct AnyStream {
  operator std::ostream&() const;
};

template <class T>
concept AggregateWithOperator = std::is_class_v<T> && std::is_aggregate_v<T> &&
    requires(AnyStream& out, const T& value) {
  { out << value } -> std::convertible_to<std::ostream&>;
};

template <class T>
void write(std::ostream& out, const T& value) {
  out << value;
}

}  // namespace cairn::detail::stream_operator
