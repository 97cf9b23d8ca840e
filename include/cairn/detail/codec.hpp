// How values are written, each as the description of its type says; and what a Capture writes with.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "cairn/capture.hpp"
#include "cairn/detail/aggregate.hpp"
#include "cairn/detail/capture_writer.hpp"
#include "cairn/detail/type_category.hpp"
#include "cairn/detail/type_description.hpp"
#include "cairn/detail/value_type.hpp"

namespace cairn {
namespace detail {

void put_wide_string(CaptureWriter& out, const char16_t* text, std::size_t size);
void put_wide_string(CaptureWriter& out, const char32_t* text, std::size_t size);
void put_wide_string(CaptureWriter& out, const wchar_t* text, std::size_t size);
void write_exception_argument(CaptureWriter& out, const std::exception& exception);
void write_exception_pointer_argument(CaptureWriter& out, const std::exception_ptr& pointer);
void write_source_location(CaptureWriter& out, const char* file, std::uint64_t line);
void write_error_code(CaptureWriter& out, const char* category, int value, std::string_view message);
void write_string_form_error(CaptureWriter& out);

template <class T>
void write_value(CaptureWriter& out, T& value);

/// The type of `value`, then its payload.
template <class T>
void write_dynamic(CaptureWriter& out, T& value) {
  using Plain = std::remove_cv_t<T>;
  if constexpr (value_type<Plain>.kind == ValueKind::dynamic) {
    write_value(out, value);  // writes its own type
  } else {
    out.put_type(value_type<Plain>);
    write_value(out, value);
  }
}

template <class T>
void write_sequence(CaptureWriter& out, T& range) {
  std::size_t position = 0;
  if (!out.open_container(position)) return;
  try {
    std::uint32_t count = 0;
    std::uint32_t omitted = 0;
    auto at = range_begin(range);
    const auto end = range_end(range);
    for (; at != end; ++at) {
      if (!out.element_fits(count)) {
        if constexpr (requires { static_cast<std::size_t>(range.size()); }) {
          omitted = static_cast<std::uint32_t>(static_cast<std::size_t>(range.size()) - count);
        } else if constexpr (std::is_array_v<T>) {
          omitted = static_cast<std::uint32_t>(std::extent_v<T>) - count;
        } else {
          omitted = omitted_unknown;
        }
        break;
      }
      auto&& element = *at;
      if constexpr (std::same_as<std::remove_cvref_t<decltype(element)>, RangeValue<T>>) {
        write_value(out, element);
      } else {
        auto converted = static_cast<RangeValue<T>>(element);
        write_value(out, converted);
      }
      ++count;
    }
    out.close_container(position, count, omitted);
  } catch (...) {
    char what[256];
    current_exception_text(what);
    out.fail_container(position, what);
  }
}

template <class T>
void write_dictionary(CaptureWriter& out, T& map) {
  std::size_t position = 0;
  if (!out.open_container(position)) return;
  try {
    std::uint32_t count = 0;
    std::uint32_t omitted = 0;
    auto at = range_begin(map);
    const auto end = range_end(map);
    for (; at != end; ++at) {
      if (!out.element_fits(count)) {
        omitted = static_cast<std::uint32_t>(map.size() - count);
        break;
      }
      auto&& [key, mapped] = *at;
      write_value(out, key);
      write_value(out, mapped);
      ++count;
    }
    out.close_container(position, count, omitted);
  } catch (...) {
    char what[256];
    current_exception_text(what);
    out.fail_container(position, what);
  }
}

template <class T>
void write_structure(CaptureWriter& out, T& value) {
  std::size_t position = 0;
  if (!out.open_container(position)) return;
  try {
    with_members<member_count<std::remove_cv_t<T>>>(value, [&](auto&... members) { (write_value(out, members), ...); });
    out.close_container(position, member_count<std::remove_cv_t<T>>, 0);
  } catch (...) {
    char what[256];
    current_exception_text(what);
    out.fail_container(position, what);
  }
}

template <class T>
void write_tuple(CaptureWriter& out, T& value) {
  std::size_t position = 0;
  if (!out.open_container(position)) return;
  constexpr std::size_t size = std::tuple_size<std::remove_cv_t<T>>::value;
  try {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      using std::get;
      (write_dynamic(out, get<I>(value)), ...);
    }
    (std::make_index_sequence<size>{});
    out.close_container(position, static_cast<std::uint32_t>(size), 0);
  } catch (...) {
    char what[256];
    current_exception_text(what);
    out.fail_container(position, what);
  }
}

template <class T>
void write_string_form(CaptureWriter& out, const T& value) {
  try {
    std::string text;
    StringForm<T>::write(value, text);
    out.put_string(text);
  } catch (...) {
    write_string_form_error(out);
  }
}

void write_too_deep(CaptureWriter& out);

/// Runs `write` (which writes a type and a payload); what it throws becomes an error in their place.
template <class F>
void write_guarded_dynamic(CaptureWriter& out, F&& write) {
  constexpr std::uint32_t most_forwards = 128;
  if (out.forwards == most_forwards) return write_too_deep(out);
  const std::size_t start = out.size();
  const std::uint32_t depth = out.depth;
  const std::uint32_t forwards = out.forwards++;
  try {
    write();
    out.forwards = forwards;
  } catch (...) {
    out.forwards = forwards;
    out.truncate(start);
    out.depth = depth;
    char what[256];
    current_exception_text(what);
    out.put_type(error_type);
    out.put_string(what);
  }
}

/// std::monostate, told by its name: its header is a heavy one. In a variant it says that there is nothing.
template <class T>
inline constexpr bool is_monostate = false;
template <class T>
requires std::is_empty_v<T>
inline constexpr bool is_monostate<T> = is_spelled<T>("std::monostate");

/// Writes the payload of `value` as value_type<T> says.
template <class T>
void write_value(CaptureWriter& out, T& value) {
  using Plain = std::remove_cv_t<T>;
  constexpr Category c = category_of<Plain>;
  if constexpr (is_dual<Plain>) {
    if (!out.structure) {
      out.put_type(string_type);
      write_string_form(out, value);
      return;
    }
    if constexpr (c == Category::structure) {
      static constexpr ValueType type = structure_type<Plain>();
      out.put_type(type);
      write_structure(out, value);
      return;
    }
  }
  if constexpr (c == Category::custom) {
    write_guarded_dynamic(out, [&] {
      ValueWriter writer(out);
      Capture<Plain>::capture(value, writer);
      if (!writer.written()) writer.null();
    });
  } else if constexpr (c == Category::secret || c == Category::null) {
    (void)value;
  } else if constexpr (c == Category::boolean) {
    out.put(static_cast<std::uint8_t>(value ? 1 : 0));
  } else if constexpr (c == Category::character) {
    out.put(static_cast<std::uint32_t>(static_cast<std::make_unsigned_t<Plain>>(value)));
  } else if constexpr (c == Category::signed_integer) {
    out.put(static_cast<std::int64_t>(value));
  } else if constexpr (c == Category::unsigned_integer || c == Category::byte) {
    out.put(static_cast<std::uint64_t>(value));
  } else if constexpr (c == Category::signed_128 || c == Category::unsigned_128 || c == Category::float_32 ||
                       c == Category::float_64) {
    out.put(static_cast<Plain>(value));
  } else if constexpr (c == Category::float_extended) {
    std::byte bytes[sizeof(long double)]{};
    std::memcpy(bytes, &value, 10);  // the rest is padding, of any value
    out.put_bytes(bytes, sizeof(bytes));
  } else if constexpr (c == Category::string) {
    if constexpr (std::is_array_v<Plain>) {  // a char array need not be terminated
      const char* text = reinterpret_cast<const char*>(&value[0]);
      const void* end = std::memchr(text, 0, std::extent_v<Plain>);
      out.put_string({text, end == nullptr ? std::extent_v<Plain>
                                           : static_cast<std::size_t>(static_cast<const char*>(end) - text)});
    } else if constexpr (std::convertible_to<const Plain&, std::string_view>) {
      out.put_string(static_cast<std::string_view>(std::as_const(value)));
    } else {
      out.put_string({reinterpret_cast<const char*>(value.data()), value.size()});
    }
  } else if constexpr (c == Category::wide_string) {
    if constexpr (std::is_array_v<Plain>) {  // nor need this one be
      std::size_t length = 0;
      while (length < std::extent_v<Plain> && value[length] != 0) ++length;
      put_wide_string(out, &value[0], length);
    } else {
      put_wide_string(out, value.data(), value.size());
    }
  } else if constexpr (c == Category::c_string) {
    if (value == nullptr) {
      out.put_null_string();
    } else {
      out.put_string(reinterpret_cast<const char*>(static_cast<const std::remove_pointer_t<Plain>*>(value)));
    }
  } else if constexpr (c == Category::wide_c_string) {
    if (value == nullptr) {
      out.put_null_string();
    } else {
      put_wide_string(out, value, std::char_traits<std::remove_const_t<std::remove_pointer_t<Plain>>>::length(value));
    }
  } else if constexpr (c == Category::path) {
    out.put_string(value.native());
  } else if constexpr (c == Category::enumeration) {
    out.put(static_cast<std::int64_t>(value));
  } else if constexpr (c == Category::time_point) {
    auto since = value.time_since_epoch();  // in ticks of its own: what those hold is beyond what nanoseconds do
    write_value(out, since);
  } else if constexpr (c == Category::duration) {
    if constexpr (std::is_floating_point_v<typename Plain::rep>) {
      out.put(static_cast<double>(value.count()));
    } else {
      out.put(static_cast<std::int64_t>(value.count()));
    }
  } else if constexpr (c == Category::error_code) {
    write_error_code(out, value.category().name(), value.value(), value.message());
  } else if constexpr (c == Category::source_location) {
    write_source_location(out, value.file_name(), value.line());
  } else if constexpr (c == Category::exception) {
    write_exception_argument(out, value);
  } else if constexpr (c == Category::exception_pointer) {
    write_exception_pointer_argument(out, value);
  } else if constexpr (c == Category::pointer) {
    out.put(static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(value)));
  } else if constexpr (c == Category::bytes) {
    if constexpr (std::is_array_v<Plain>) {
      out.put_byte_string(&value[0], sizeof(value));
    } else {
      out.put_byte_string(value.data(), value.size());
    }
  } else if constexpr (c == Category::dictionary) {
    write_dictionary(out, value);
  } else if constexpr (c == Category::sequence) {
    write_sequence(out, value);
  } else if constexpr (c == Category::tuple) {
    write_tuple(out, value);
  } else if constexpr (c == Category::variant) {
    if (value.valueless_by_exception()) {
      out.put_type(null_type);
    } else {
      write_guarded_dynamic(out, [&] {
        visit(
            [&](auto& held) {
              if constexpr (is_monostate<std::remove_cvref_t<decltype(held)>>) {
                out.put_type(null_type);
              } else {
                write_dynamic(out, held);
              }
            },
            value);
      });
    }
  } else if constexpr (c == Category::optional) {
    write_guarded_dynamic(out, [&] {
      if (static_cast<bool>(value)) {
        auto&& held = *value;
        if constexpr (std::is_void_v<decltype(*value)>)
          out.put_type(null_type);
        else
          write_dynamic(out, held);
      } else if constexpr (requires { value.error(); }) {
        auto&& error = value.error();
        write_dynamic(out, error);
      } else {
        out.put_type(null_type);
      }
    });
  } else if constexpr (c == Category::wrapper) {
    write_value(out, value.get());
  } else if constexpr (c == Category::atomic) {
    auto loaded = value.load();
    write_value(out, loaded);
  } else if constexpr (c == Category::structure) {
    write_structure(out, value);
  } else if constexpr (c == Category::string_form) {
    write_string_form(out, value);
  }
}

}  // namespace detail

// ---- the customization point's writers ------------------------------------------------------------------------------

/// Elements of a sequence a Capture writes.
class SequenceWriter {
 public:
  template <class T>
  void element(const T& value) {
    if (!writer_.element_fits(count_)) {
      ++omitted_;
      return;
    }
    detail::write_dynamic(writer_, value);
    ++count_;
  }

 private:
  friend class ValueWriter;
  explicit SequenceWriter(detail::CaptureWriter& writer) noexcept : writer_(writer) {}
  detail::CaptureWriter& writer_;
  std::uint32_t count_ = 0;
  std::uint32_t omitted_ = 0;
};

/// Members of a structure a Capture writes. A name should not come twice.
class StructureWriter {
 public:
  template <class T>
  void member(std::string_view name, const T& value) {
    if (count_ >= writer_.limits().properties || writer_.room() < 64) {
      ++omitted_;
      return;
    }
    writer_.put_name(name);
    detail::write_dynamic(writer_, value);
    ++count_;
  }

 private:
  friend class ValueWriter;
  explicit StructureWriter(detail::CaptureWriter& writer) noexcept : writer_(writer) {}
  detail::CaptureWriter& writer_;
  std::uint32_t count_ = 0;
  std::uint32_t omitted_ = 0;
};

/// Entries of a dictionary a Capture writes.
class DictionaryWriter {
 public:
  template <class K, class T>
  void entry(const K& key, const T& value) {
    if (!writer_.element_fits(count_)) {
      ++omitted_;
      return;
    }
    detail::write_dynamic(writer_, key);
    detail::write_dynamic(writer_, value);
    ++count_;
  }

 private:
  friend class ValueWriter;
  explicit DictionaryWriter(detail::CaptureWriter& writer) noexcept : writer_(writer) {}
  detail::CaptureWriter& writer_;
  std::uint32_t count_ = 0;
  std::uint32_t omitted_ = 0;
};

template <class T>
void ValueWriter::value(const T& value) {
  if (begin()) detail::write_dynamic(writer_, value);
}

template <class F>
void ValueWriter::structure(std::string_view type_name, F&& f) {
  if (!begin()) return;
  writer_.put_type(detail::named_structure_type);
  std::size_t position = 0;
  if (!writer_.open_container(position)) return;
  writer_.put_name(type_name);
  StructureWriter members(writer_);
  f(members);
  writer_.close_container(position, members.count_, members.omitted_);
}

template <class F>
void ValueWriter::sequence(F&& f) {
  if (!begin()) return;
  writer_.put_type(detail::sequence_of_dynamic_type);
  std::size_t position = 0;
  if (!writer_.open_container(position)) return;
  SequenceWriter elements(writer_);
  f(elements);
  writer_.close_container(position, elements.count_, elements.omitted_);
}

template <class F>
void ValueWriter::dictionary(F&& f) {
  if (!begin()) return;
  writer_.put_type(detail::dictionary_of_dynamic_type);
  std::size_t position = 0;
  if (!writer_.open_container(position)) return;
  DictionaryWriter entries(writer_);
  f(entries);
  writer_.close_container(position, entries.count_, entries.omitted_);
}

}  // namespace cairn
