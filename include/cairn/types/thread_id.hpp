// std::thread::id as a value: the number the system knows the thread by.
#pragma once

#include <cstdint>
#include <cstring>
#include <thread>

#include "cairn/capture.hpp"

namespace cairn {

template <>
struct Capture<std::thread::id> {
  static void capture(const std::thread::id& id, ValueWriter& out) {
    std::uint64_t number = 0;
    static_assert(sizeof(id) <= sizeof(number));
    std::memcpy(&number, &id, sizeof(id));
    out.value(number);
  }
};

}  // namespace cairn
