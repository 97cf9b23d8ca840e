// Has a class that is no aggregate an `operator<<` to std::ostream of its own? Only to be asked where <ostream> is
// included: cairn/types/ostream.hpp has the answer.
#pragma once

#include <concepts>
#include <cstddef>
#include <ostream>
#include <system_error>
#include <thread>
#include <type_traits>

namespace cairn::detail::stream_operator {

// Whatever a std::ostream takes that a type may convert to (operators of its own, of std for characters and for the two
// classes of std that are no templates), once more. A type that comes to one of them only by a conversion finds two
// that are equal, and so none. A type's own operator needs no conversion: it is better than both.
namespace twice {

void operator<<(std::ostream&, bool);
void operator<<(std::ostream&, char);
void operator<<(std::ostream&, signed char);
void operator<<(std::ostream&, unsigned char);
void operator<<(std::ostream&, short);
void operator<<(std::ostream&, unsigned short);
void operator<<(std::ostream&, int);
void operator<<(std::ostream&, unsigned int);
void operator<<(std::ostream&, long);
void operator<<(std::ostream&, unsigned long);
void operator<<(std::ostream&, long long);
void operator<<(std::ostream&, unsigned long long);
void operator<<(std::ostream&, float);
void operator<<(std::ostream&, double);
void operator<<(std::ostream&, long double);
void operator<<(std::ostream&, std::nullptr_t);
void operator<<(std::ostream&, const void*);
void operator<<(std::ostream&, const volatile void*);  // a stream has it from C++23 on
void operator<<(std::ostream&, const char*);
void operator<<(std::ostream&, const signed char*);
void operator<<(std::ostream&, const unsigned char*);
void operator<<(std::ostream&, std::streambuf*);
void operator<<(std::ostream&, std::ostream& (*)(std::ostream&));
void operator<<(std::ostream&, std::ios& (*)(std::ios&));
void operator<<(std::ostream&, std::ios_base& (*)(std::ios_base&));
void operator<<(std::ostream&, const std::error_code&);
void operator<<(std::ostream&, std::thread::id);

template <class T>
concept HasOwn = requires(std::ostream& out, const T& value) {
  { out << value } -> std::convertible_to<std::ostream&>;
};

}  // namespace twice

template <class T>
concept OtherWithOperator = std::is_class_v<T> && !std::is_aggregate_v<T> && twice::HasOwn<T>;

}  // namespace cairn::detail::stream_operator
