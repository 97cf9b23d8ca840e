#include "capture/thrown_text.hpp"

#include <charconv>
#include <system_error>

#include "capture/type_names.hpp"

namespace cairn::detail {

namespace {

ThrownText of_string(std::string_view type, const char* text) { return {type, text != nullptr ? text : ""}; }

/// Integers and floating point numbers, one type after the other: thrown values are not converted to be caught.
template <class T, class... Others>
ThrownText of_number() {
  try {
    throw;
  } catch (const T& value) {
    char digits[64];
    char* const end = std::to_chars(std::begin(digits), std::end(digits), value).ptr;
    return {current_exception_type_name(), std::string(static_cast<char*>(digits), end)};
  } catch (...) {
    if constexpr (sizeof...(Others) == 0) {
      return {thrown_name(current_exception_type_name()), {}};
    } else {
      return of_number<Others...>();
    }
  }
}

}  // namespace

ThrownText thrown_text() {
  try {
    throw;
  } catch (const char* text) {
    return of_string("const char*", text);
  } catch (const std::string& text) {
    return {"std::string", text};
  } catch (const std::string_view& text) {
    return {"std::string_view", std::string(text)};
  } catch (const std::error_code& error) {
    return {"std::error_code", error.message()};
  } catch (bool value) {
    return {"bool", value ? "true" : "false"};
  } catch (char value) {
    return {"char", std::string(1, value)};
  } catch (...) {
    return of_number<int, unsigned, long, unsigned long, long long, unsigned long long, short, unsigned short,
                     signed char, unsigned char, double, float, long double>();
  }
}

}  // namespace cairn::detail
