// How the program's own types become values: the customization point, names for enumerators, secrets.
//
//   template <> struct cairn::Capture<Money> {
//     static void capture(const Money& m, cairn::ValueWriter& out) {
//       out.structure("Money", [&](auto& s) { s.member("Amount", m.units()); s.member("Currency", m.currency()); });
//     }
//   };
//   template <> struct cairn::EnumNames<Side> {
//     static constexpr std::array names{cairn::EnumName{Side::buy, "Buy"}, cairn::EnumName{Side::sell, "Sell"}};
//   };
//   log.information("Login of {User} with {Password}", user, cairn::secret(password));      // … with ***
//
// Plain aggregates, ranges, maps, tuples, optionals, variants, pointers and chrono types need nothing of this.
#pragma once

#include <string_view>
#include <type_traits>
#include <utility>

#include "cairn/detail/capture_writer.hpp"

namespace cairn {

/// Specialise it for a type to decide what is captured of it: a static function `capture(const T&, ValueWriter&)`,
/// called on the thread that logs, that writes exactly one value. What it throws becomes the value `<error: …>`; it
/// must not keep the writer.
template <class T>
struct Capture;

/// One enumerator and the name it is logged under.
template <class E>
struct EnumName {
  E value;
  std::string_view name;
};
template <class E>
EnumName(E, std::string_view) -> EnumName<E>;

/// Specialise it for an enumeration with a static constexpr range `names` of EnumName<E>, to log names in place of
/// numbers. A value without a name is logged as its number.
template <class E>
struct EnumNames;

/// A value that no output ever shows: it renders as `***`, and its bytes never enter a record. It cannot be printed,
/// compared or converted by accident; `reveal()` gives the value back.
template <class T>
class Secret {
 public:
  constexpr explicit Secret(T value) : value_(std::forward<T>(value)) {}
  [[nodiscard]] constexpr const T& reveal() const& noexcept { return value_; }
  [[nodiscard]] constexpr T reveal() && { return std::forward<T>(value_); }

 private:
  T value_;
};

/// Hides a value from every output: `cairn::secret(token)`. Borrows what it is given (a reference for an lvalue).
template <class T>
[[nodiscard]] constexpr Secret<T> secret(T&& value) {
  return Secret<T>(std::forward<T>(value));
}

class SequenceWriter;
class StructureWriter;
class DictionaryWriter;

/// Writes one value. The four functions are alternatives: a second value is ignored and counted, none at all is null.
class ValueWriter {
 public:
  /// Any value Cairn captures.
  template <class T>
  void value(const T& value);
  /// Null.
  void null() {
    if (begin()) writer_.put_type(detail::null_type);
  }
  /// A structure: `f(StructureWriter&)` writes its members; `type_name` becomes `$type` (empty: none).
  template <class F>
  void structure(std::string_view type_name, F&& f);
  /// A sequence: `f(SequenceWriter&)` writes its elements.
  template <class F>
  void sequence(F&& f);
  /// A dictionary: `f(DictionaryWriter&)` writes its entries; keys are scalars.
  template <class F>
  void dictionary(F&& f);

  /// Bytes captured before, of that type. For Cairn's own values.
  void captured(const detail::ValueType& type, const std::byte* bytes, std::size_t size) {
    if (!begin()) return;
    writer_.put_type(type);
    writer_.put_bytes(bytes, size);
  }

  explicit ValueWriter(detail::CaptureWriter& writer) noexcept : writer_(writer) {}
  [[nodiscard]] bool written() const noexcept { return written_; }

 private:
  [[nodiscard]] bool begin() noexcept {
    if (written_) writer_.count_cut();
    return !std::exchange(written_, true);
  }

  detail::CaptureWriter& writer_;
  bool written_ = false;
};

}  // namespace cairn

#include "cairn/detail/codec.hpp"
