// Templates and values made of a fuzzer's bytes: what the targets that render have in common.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cairn/capture.hpp"
#include "cairn/value.hpp"

namespace cairn_fuzz {

/// Takes an input apart, front to back; what is not there any more reads as zero and empty.
class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) noexcept : rest_(reinterpret_cast<const char*>(data), size) {}

  [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
  std::uint8_t byte() noexcept {
    if (rest_.empty()) return 0;
    const auto first = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return first;
  }
  template <class T>
  T number() noexcept {
    char bytes[sizeof(T)]{};
    const std::string_view taken = take(sizeof(T));
    if (!taken.empty()) std::memcpy(bytes, taken.data(), taken.size());
    T value;
    std::memcpy(&value, bytes, sizeof(T));
    return value;
  }
  std::string_view text() noexcept { return take(byte()); }

 private:
  std::string_view take(std::size_t size) noexcept {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view rest_;
};

/// A value whose names and parts come from the input too.
struct Hostile {
  Bytes* bytes;
  int depth;
};

struct Plain {
  std::string name;
  int count;
  std::vector<double> weights;
};

}  // namespace cairn_fuzz

template <>
struct cairn::Capture<cairn_fuzz::Hostile> {
  static void capture(const cairn_fuzz::Hostile& hostile, cairn::ValueWriter& out) {
    cairn_fuzz::Bytes& bytes = *hostile.bytes;
    const int depth = hostile.depth + 1;
    const unsigned parts = depth > 12 ? 0 : bytes.byte() % 5U;
    switch (bytes.byte() % 18U) {
      case 0: return out.null();
      case 1: return out.value(bytes.byte() % 2 == 0);
      case 2: return out.value(bytes.number<std::int64_t>());
      case 3: return out.value(bytes.number<std::uint64_t>());
      case 4: return out.value(bytes.number<double>());
      case 5: return out.value(bytes.number<float>());
      case 6: return out.value(bytes.text());
      case 7: return out.value(static_cast<char32_t>(bytes.number<std::uint32_t>()));
      case 8:
        return out.value(
            std::chrono::sys_time<std::chrono::nanoseconds>(std::chrono::nanoseconds(bytes.number<std::int64_t>())));
      case 9: return out.value(std::chrono::milliseconds(bytes.number<std::int64_t>()));
      case 10:
        return out.value(reinterpret_cast<const void*>(static_cast<std::uintptr_t>(bytes.number<std::uint64_t>())));
      case 11: return out.value(std::chrono::duration<double>(bytes.number<double>()));
      case 12: return out.value(cairn::secret(bytes.text()));
      case 13: return out.value(std::optional<std::string>(std::string(bytes.text())));
      case 14:
        return out.value(cairn_fuzz::Plain{std::string(bytes.text()), bytes.number<int>(), {bytes.number<double>()}});
      case 15:
        return out.structure(bytes.text(), [&](auto& structure) {
          for (unsigned i = 0; i < parts; ++i) {
            const std::string_view name = bytes.text();
            structure.member(name, cairn_fuzz::Hostile{&bytes, depth});
          }
        });
      case 16:
        return out.sequence([&](auto& sequence) {
          for (unsigned i = 0; i < parts; ++i) sequence.element(cairn_fuzz::Hostile{&bytes, depth});
        });
      default:
        return out.dictionary([&](auto& dictionary) {
          for (unsigned i = 0; i < parts; ++i) {
            if (bytes.byte() % 4 == 0) {
              dictionary.entry(bytes.number<std::int64_t>(), cairn_fuzz::Hostile{&bytes, depth});
            } else {
              const std::string_view key = bytes.text();
              dictionary.entry(key, cairn_fuzz::Hostile{&bytes, depth});
            }
          }
        });
    }
  }
};

namespace cairn_fuzz {

/// Up to six values.
inline std::vector<cairn::OwnedValue> values_of(Bytes& bytes) {
  std::vector<cairn::OwnedValue> values;
  for (unsigned count = bytes.byte() % 7U; count > 0; --count) values.emplace_back(Hostile{&bytes, 0});
  return values;
}

inline std::vector<cairn::Value> views_of(const std::vector<cairn::OwnedValue>& values) {
  std::vector<cairn::Value> views;
  views.reserve(values.size());
  for (const cairn::OwnedValue& value : values) views.push_back(value.view());
  return views;
}

}  // namespace cairn_fuzz
