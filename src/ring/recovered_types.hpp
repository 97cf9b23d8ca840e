// The types that a ring describes, made anew from its bytes, and values checked against them. The bytes are hostile
// until they have been through here: whatever they claim, nothing outside them is read and nothing goes on for ever.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cairn/detail/source_place.hpp"
#include "cairn/detail/value_type.hpp"
#include "capture/property_block.hpp"

namespace cairn::detail {

/// Bytes taken from the front, never past their end: what would is a failure that stays.
class ByteCursor {
 public:
  explicit ByteCursor(std::span<const std::byte> bytes) noexcept : left_(bytes) {}
  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] std::size_t left() const noexcept { return left_.size(); }
  /// `size` bytes; none where there are not so many.
  [[nodiscard]] std::span<const std::byte> take(std::size_t size) noexcept {
    if (size > left_.size()) {
      ok_ = false;
      left_ = {};
      return {};
    }
    const auto taken = left_.first(size);
    left_ = left_.subspan(size);
    return taken;
  }
  /// A T; zeros where there is none.
  template <class T>
  [[nodiscard]] T take() noexcept {
    T value{};
    if (const auto bytes = take(sizeof(T)); !bytes.empty()) std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }
  /// A length of 4 bytes and so many characters.
  [[nodiscard]] std::string_view take_text() noexcept {
    const auto bytes = take(take<std::uint32_t>());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

 private:
  std::span<const std::byte> left_;
  bool ok_ = true;
};

/// Types and places live as long as this object.
class RecoveredTypes {
 public:
  RecoveredTypes() = default;
  RecoveredTypes(const RecoveredTypes&) = delete;
  RecoveredTypes& operator=(const RecoveredTypes&) = delete;

  /// Another block begins: what it does not define is not known.
  void begin_block() noexcept {
    defined_.clear();
    visits_ = 0;
  }
  /// What stands in an entry of kind `type`. False: it makes no sense. Kept by reference until it is first used.
  [[nodiscard]] bool define(std::span<const std::byte> definition);
  /// The type with that key, or null: it, or something it is made of, was not defined in this block.
  [[nodiscard]] const ValueType* find(std::uint64_t key);
  [[nodiscard]] SourcePlace place(std::string_view file, std::string_view function, std::uint32_t line);

 private:
  struct Definition {
    std::span<const std::byte> bytes;
    const ValueType* made = nullptr;
    bool failed = false;
  };
  struct Made {
    std::string definition;
    std::vector<std::uint64_t> parts;
    ValueType type;
    std::vector<MemberType> members;
    std::vector<EnumeratorName> enumerators;
  };
  [[nodiscard]] const ValueType* make(std::uint64_t key);

  std::unordered_map<std::uint64_t, Definition> defined_;  // in this block
  std::deque<Made> made_;
  struct MadePlace {
    std::string file;
    std::string function;
  };
  std::deque<MadePlace> places_;
  std::size_t visits_ = 0;
};

/// Checks values of one event, and puts the addresses of types in the place of their keys.
class ValueChecker {
 public:
  /// `budget`: so many parts of values in all; an event has no more of them than bytes, but for those without any.
  ValueChecker(RecoveredTypes& types, std::size_t budget) noexcept : types_(types), budget_(budget) {}
  /// Past the value of `type` at `at`; null: it is none.
  [[nodiscard]] std::byte* check(const ValueType& type, std::byte* at, std::byte* end, int depth = 0);
  /// A block like the one whose entries these are. False: they are none.
  [[nodiscard]] bool check_properties(std::span<std::byte> entries, PropertyBlock& block);

 private:
  RecoveredTypes& types_;
  std::size_t budget_;
};

}  // namespace cairn::detail
