// What the bytes of a captured value mean: static descriptions of types, shared by the call site and the delivery side.
// A description is data, never a function; it lives as long as the program part that made it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cairn {

/// What a captured value is. Every value Cairn holds is one of these.
enum class ValueKind : std::uint8_t {
  null,              // no payload
  boolean,           // 1 byte
  character,         // 4 bytes: a code point
  signed_integer,    // 8 bytes
  unsigned_integer,  // 8 bytes
  signed_128,        // 16 bytes
  unsigned_128,      // 16 bytes
  float_32,          // 4 bytes
  float_64,          // 8 bytes
  float_extended,    // sizeof(long double)
  string,            // length 4, bytes; length `null_length` is null
  enumeration,       // 8 bytes: the number; names stand in the type
  time_point,        // 8 bytes: a count, integer or double as the type says; unit and zero in the type
  duration,          // 8 bytes: a count, integer or double as the type says; unit in the type
  pointer,           // 8 bytes
  bytes,             // length 4 kept, length 8 of the whole, bytes
  sequence,          // container header, elements
  dictionary,        // container header, key and value by turns
  structure,         // container header, members in the order of the type
  named_structure,   // container header, then name (length 4, bytes) and dynamic value by turns; its type's name first
                     // (length 4, bytes)
  dynamic,           // pointer to the type of what follows, then that
  secret,            // no payload: what was secret never enters a record
  error,             // length 4, bytes: what user code threw while it was captured
};

namespace detail {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 UInt128;

struct ValueType;

struct MemberType {
  std::string_view name;
  const ValueType* type = nullptr;
};

struct EnumeratorName {
  std::int64_t value = 0;
  std::string_view name;
};

struct ValueType {
  ValueKind kind = ValueKind::null;
  bool is_unsigned = false;            // enumeration; time, duration: the count is a std::uint64_t
  bool floating = false;               // time, duration: the count is a double
  bool from_float = false;             // floating: it was a float, and is shown as one
  std::string_view name = {};          // structure
  const ValueType* element = nullptr;  // sequence; dictionary: the mapped value
  const ValueType* key = nullptr;      // dictionary
  const MemberType* members = nullptr;
  std::uint32_t member_count = 0;
  const EnumeratorName* enumerators = nullptr;
  std::uint32_t enumerator_count = 0;
  std::int64_t numerator = 1;  // time, duration: seconds a tick
  std::int64_t denominator = 1;
  std::int64_t zero = 0;  // time: where its count begins, in seconds since 1970
};

/// The length of a string that is null (a null `const char*`).
inline constexpr std::uint32_t null_length = 0xFFFFFFFF;

/// Before the contents of a sequence, dictionary or structure.
struct ContainerHeader {
  std::uint32_t size = 0;     // bytes of the contents after this header, so that a reader can step over them
  std::uint32_t count = 0;    // elements, pairs or members that follow; a special container has its reason here
  std::uint32_t omitted = 0;  // left out at capture; `omitted_unknown`: some, not counted
};
inline constexpr std::uint32_t omitted_unknown = 0xFFFFFFFF;
inline constexpr std::uint32_t special_size =
    0xFFFFFFFF;  // not a container: a note in its place (see SpecialContainer)
enum class SpecialContainer : std::uint32_t { too_deep, error };  // error: a length 4 and the text follow the header

inline constexpr ValueType null_type{.kind = ValueKind::null};
inline constexpr ValueType string_type{.kind = ValueKind::string};
inline constexpr ValueType error_type{.kind = ValueKind::error};
inline constexpr ValueType dynamic_type{.kind = ValueKind::dynamic};
inline constexpr ValueType secret_type{.kind = ValueKind::secret};
inline constexpr ValueType sequence_of_dynamic_type{.kind = ValueKind::sequence, .element = &dynamic_type};
inline constexpr ValueType dictionary_of_dynamic_type{
    .kind = ValueKind::dictionary, .element = &dynamic_type, .key = &dynamic_type};
inline constexpr ValueType named_structure_type{.kind = ValueKind::named_structure};

}  // namespace detail
}  // namespace cairn
