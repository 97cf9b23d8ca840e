// A crash ring in memory, for tests: written as threads write theirs, read as another process would.
#pragma once

#include <array>
#include <cstring>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <vector>

#include "cairn/all.hpp"
#include "cairn/detail/submit.hpp"
#include "capture/exception_record.hpp"
#include "ring/ring_reader.hpp"
#include "ring/ring_writer.hpp"

namespace cairn::testing {

class RingInMemory {
 public:
  explicit RingInMemory(std::size_t block_bytes = 16 * 1024)
      : words_((detail::RingHeader::bytes + detail::ring_blocks * block_bytes) / 8),
        writer_(std::as_writable_bytes(std::span(words_)), boot_id, 42) {}

  static constexpr const char* boot_id = "0b1c2d3e-0000-1111-2222-333344445555";

  [[nodiscard]] detail::RingWriter& writer() noexcept { return writer_; }
  [[nodiscard]] std::vector<std::byte> bytes() const {
    const auto all = std::as_bytes(std::span(words_));
    return {all.begin(), all.end()};
  }

  detail::PropertyBlock context;
  std::uint64_t context_version = 1;
  detail::PropertyBlock logger;
  std::uint64_t logger_serial = 1;
  detail::PropertyBlock enrichments;
  std::int64_t time = 1'000'000'000'000'000'000;
  CaptureLimits limits{};

  /// As log.write(level, text, arguments…) would.
  template <class... A>
  bool log(const char* text, const A&... arguments) {
    return write<A...>(Level::information, text, {}, arguments...);
  }
  template <class... A>
  bool write(Level level, const char* text, const detail::ThrownException& thrown, const A&... arguments) {
    detail::CaptureBuffer buffer;
    detail::CaptureWriter writer(buffer, limits, 0);
    detail::RecordHeader header;
    header.size_and_flags = static_cast<std::uint32_t>(level) | detail::RecordHeader::function_form;
    if (thrown.reference != nullptr) header.size_and_flags |= detail::RecordHeader::has_exception;
    header.time = time++;
    header.site = text;
    writer.put(header);
    writer.put(detail::FunctionFormHeader{std::source_location::current(), detail::type_pack<A...>});
    detail::write_exception(writer, thrown);
    (detail::write_value(writer, arguments), ...);
    return finish(writer);
  }
  /// As with dynamic_template(text).
  template <class... A>
  bool log_dynamic(std::string_view text, const A&... arguments) {
    detail::CaptureBuffer buffer;
    detail::CaptureWriter writer(buffer, limits, 0);
    detail::RecordHeader header;
    header.size_and_flags = static_cast<std::uint32_t>(Level::information) | detail::RecordHeader::dynamic_form;
    header.time = time++;
    writer.put(header);
    writer.put(detail::FunctionFormHeader{std::source_location::current(), detail::type_pack<A...>});
    writer.put_string(text);
    (detail::write_value(writer, arguments), ...);
    return finish(writer);
  }

 private:
  bool finish(detail::CaptureWriter& writer) {
    detail::finish_record(writer);
    return writer_.write({*reinterpret_cast<const detail::RecordHeader*>(writer.data()), context, context_version,
                          logger, logger_serial, &enrichments});
  }

  std::vector<std::uint64_t> words_;
  detail::RingWriter writer_;
};

/// What a reader makes of a ring.
struct RingContents {
  detail::RingReader::Status status{};
  std::string problem;
  std::vector<std::string> lines;  // of CLEF
  std::vector<std::uint64_t> numbers;
  std::uint64_t damaged = 0;
  std::uint64_t overwritten = 0;
};

inline RingContents read_ring(std::span<const std::byte> bytes, const std::string& boot_id = RingInMemory::boot_id) {
  // As large as the bytes and no larger, so that a sanitizer sees who reads on.
  const std::unique_ptr<std::byte[]> exact(new std::byte[bytes.size()]);
  if (!bytes.empty()) std::memcpy(exact.get(), bytes.data(), bytes.size());
  detail::RingBytesInMemory in_memory({exact.get(), bytes.size()});
  detail::RingReader reader(in_memory, boot_id, detail::TscClock::sample(), std::make_shared<detail::RecoveredTypes>());
  RingContents contents;
  contents.status = reader.status();
  contents.problem = reader.problem();
  detail::RecoveredEvent event;
  while (reader.next(event)) {
    contents.lines.push_back(to_clef(event.view()));
    contents.numbers.push_back(event.number);
  }
  contents.damaged = reader.damaged();
  contents.overwritten = reader.overwritten();
  return contents;
}

}  // namespace cairn::testing
