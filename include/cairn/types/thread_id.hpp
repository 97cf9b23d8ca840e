// std::thread::id as a value: the number that std::ostream shows, too. It is the pthread_t of the thread, and not the
// kernel's id (gettid) that enrichers::thread_id() adds and tools like top and gdb show.
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
