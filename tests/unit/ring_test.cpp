// The bytes of a crash ring: what is written is read back whole; what is damaged, cut off, half-written or made up
// costs the events concerned, counted, and nothing else.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "platform/crc32c.hpp"
#include "support/every_output.hpp"
#include "support/ring_support.hpp"
#include "support/sanitizers.hpp"

namespace ring_types {  // with a name: their members are looked at by declaration

struct Address {
  std::string street;
  int number;
};
struct Person {
  std::string name;
  std::vector<Address> addresses;
  std::optional<Address> second;
};
struct Tree {
  int value = 0;
  std::vector<Tree> children;
  std::optional<int> extra{};
};
enum class Paint { red, green };

}  // namespace ring_types

namespace {

using cairn::testing::read_ring;
using cairn::testing::RingContents;
using cairn::testing::RingInMemory;
using Status = cairn::detail::RingReader::Status;
using nlohmann::json;
using ring_types::Address;
using ring_types::Paint;
using ring_types::Person;
using ring_types::Tree;

json only(const RingInMemory& ring) {
  const RingContents contents = read_ring(ring.bytes());
  EXPECT_EQ(contents.damaged, 0U);
  if (contents.lines.size() != 1) {
    ADD_FAILURE() << contents.lines.size() << " events";
    return {};
  }
  return json::parse(contents.lines.front());
}

}  // namespace

template <>
struct cairn::EnumNames<ring_types::Paint> {
  using Paint = ring_types::Paint;
  static constexpr std::array<std::pair<Paint, std::string_view>, 2> names{
      {{Paint::red, "red"}, {Paint::green, "green"}}};
};

namespace {

TEST(Crc32c, is_castagnolis_with_the_instruction_and_without) {
  EXPECT_EQ(cairn::detail::crc32c("123456789", 9), 0xE3069283U);
  std::mt19937 random(1);
  std::vector<unsigned char> bytes(1000);
  for (auto& b : bytes) b = static_cast<unsigned char>(random());
  for (std::size_t size = 0; size < 100; ++size)
    EXPECT_EQ(cairn::detail::crc32c(bytes.data() + size, size),
              cairn::detail::crc32c_by_table(bytes.data() + size, size));
  EXPECT_EQ(cairn::detail::crc32c(bytes.data() + 10, 90, cairn::detail::crc32c(bytes.data(), 10)),
            cairn::detail::crc32c(bytes.data(), 100));
  std::vector<std::byte> copy(bytes.size());
  const std::span<const std::byte> all = std::as_bytes(std::span(bytes));
  for (std::size_t size = 0; size < bytes.size(); size += 8) {
    for (const std::size_t first : {std::size_t{0}, size / 16 * 8, size}) {
      EXPECT_EQ(cairn::detail::crc32c_copy(copy.data(), all.first(first), all.subspan(first, size - first), 7),
                cairn::detail::crc32c(bytes.data(), size, 7));
      EXPECT_TRUE(std::ranges::equal(std::span(copy).first(size), all.first(size)));
      std::ranges::fill(copy, std::byte{0});
    }
  }
}

TEST(Ring, gives_back_what_a_call_knew) {
  RingInMemory ring;
  ring.log("{User} paid {Amount:.2f} in {Colour}", std::string("ann"), 1.5, Paint::green);
  const json event = only(ring);
  EXPECT_EQ(event["@t"], "2001-09-09T01:46:40.0000000Z");
  EXPECT_EQ(event["@mt"], "{User} paid {Amount:.2f} in {Colour}");
  EXPECT_EQ(event["@r"], json::array({"1.50"}));
  EXPECT_EQ(event["User"], "ann");
  EXPECT_EQ(event["Amount"], 1.5);
  EXPECT_EQ(event["Colour"], "green");
  EXPECT_EQ(event["Recovered"], true);
}

TEST(Ring, gives_back_values_of_every_kind_as_they_were_logged) {
  using namespace std::chrono_literals;
  RingInMemory ring;
  cairn::MemorySink* sink = nullptr;
  auto owned = std::make_shared<cairn::MemorySink>();
  sink = owned.get();
  const auto log = cairn::Configuration{}.write_to(owned).create_logger();
  const Tree tree{1, {{2, {}, 5}, {3, {{4, {}}}}}, std::nullopt};
  const Person person{"bob", {{"High Street", 7}, {"Low", 8}}, Address{"Side", 9}};
  const std::map<std::string, std::variant<int, std::string>> mixed{{"a", 1}, {"b", std::string("two")}};
  const auto both = [&](const char* text, const auto&... values) {
    log.write(cairn::Level::information, cairn::dynamic_template(text), values...);
    EXPECT_TRUE(ring.log_dynamic(text, values...));
  };
  both("{A} {B} {C} {D}", true, 'x', -5, 7U);
  both("{A} {B} {C}", 1.5F, 2.5, 3.25L);
  both("{@Person} {@Tree}", person, tree);
  both("{Map} {Nested} {Tuple}", mixed, std::vector<std::vector<int>>{{1}, {}, {2, 3}}, std::tuple(1, "x", 2.0));
  both("{Time} {Wait} {None} {Secret}", std::chrono::system_clock::time_point(5s), 1500us, std::optional<int>(),
       cairn::secret("S3CR3T"));
  both("{Day} {Far} {Of} {Part}", std::chrono::sys_days(std::chrono::days(20'000)),
       std::chrono::sys_seconds(std::chrono::seconds(100'000'000'000)), std::chrono::file_clock::time_point(5s),
       std::chrono::sys_time<std::chrono::duration<double>>(std::chrono::duration<double>(1.5)));
  both("{OfFloats} {OfDoubles}", std::chrono::duration<float>(0.1F), std::chrono::duration<double>(0.1));
  both("{Null} {Pointer} {Bytes} {Big}", static_cast<const char*>(nullptr), static_cast<void*>(nullptr),
       std::vector<std::byte>{std::byte{1}, std::byte{255}}, static_cast<cairn::detail::UInt128>(1) << 100U);
  both("{$List} {Same} {Same}", std::vector<int>{1, 2}, 1, 2);
  both("no hole", 1);

  const RingContents contents = read_ring(ring.bytes());
  EXPECT_EQ(contents.damaged, 0U);
  const auto events = sink->events();
  ASSERT_EQ(contents.lines.size(), events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    json expected = json::parse(to_clef(events[i].view()));
    json found = json::parse(contents.lines[i]);
    expected.erase("@t");
    found.erase("@t");
    expected["Recovered"] = true;
    EXPECT_EQ(found, expected);
  }
}

TEST(Ring, keeps_context_logger_enrichments_exception_and_place) {
  RingInMemory ring;
  const auto put = [](cairn::detail::PropertyBlock& block, const char* name, const auto& value) {
    const cairn::OwnedValue owned(value);
    block.add(name, owned.view());
  };
  put(ring.context, "RequestId", 7);
  ring.context.set_trace("0af7651916cd43dd8448eb211c80319cb7ad6b716920333101");
  put(ring.logger, "SourceContext", "shop");
  put(ring.logger, "Who", Address{"Side", 3});
  put(ring.enrichments, "Thread", std::vector<int>{1, 2});
  const std::runtime_error inner("it broke");
  ring.write(cairn::Level::error, "Failed {N}", {&inner, nullptr}, 1);
  ring.context.clear();
  ++ring.context_version;
  ring.logger.clear();
  ++ring.logger_serial;
  ring.enrichments.clear();
  ring.log("Plain");

  const auto bytes = ring.bytes();
  const RingContents contents = read_ring(bytes);
  ASSERT_EQ(contents.lines.size(), 2U);
  const json event = json::parse(contents.lines[0]);
  EXPECT_EQ(event["@l"], "Error");
  EXPECT_EQ(event["RequestId"], 7);
  EXPECT_EQ(event["@tr"], "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(event["@sp"], "b7ad6b7169203331");
  EXPECT_EQ(event["SourceContext"], "shop");
  EXPECT_EQ(event["Who"]["number"], 3);
  EXPECT_EQ(event["Thread"], json::array({1, 2}));
  EXPECT_EQ(event["@x"], "std::runtime_error: it broke");
  const json plain = json::parse(contents.lines[1]);
  EXPECT_FALSE(plain.contains("RequestId"));
  EXPECT_FALSE(plain.contains("SourceContext"));
  EXPECT_FALSE(plain.contains("@tr"));

  cairn::detail::RingBytesInMemory in_memory(bytes);
  cairn::detail::RingReader reader(in_memory, RingInMemory::boot_id, cairn::detail::TscClock::sample(),
                                   std::make_shared<cairn::detail::RecoveredTypes>());
  cairn::detail::RecoveredEvent recovered;
  ASSERT_TRUE(reader.next(recovered));
  EXPECT_TRUE(recovered.view().file().ends_with("ring_support.hpp"));
  EXPECT_NE(recovered.view().line(), 0U);
  EXPECT_NE(recovered.view().function(), "");
}

/// Of one site, as often as it takes to be the one before; then of another context, logger and so on, each alone.
TEST(Ring, tells_an_event_from_the_one_before_it_by_whatever_differs) {
  RingInMemory ring;
  int number = 0;
  const auto log = [&] { EXPECT_TRUE(ring.log("{N}", ++number)); };
  const auto put = [](cairn::detail::PropertyBlock& block, const char* name, int value) {
    block.replace(name, cairn::OwnedValue(value).view());
  };
  const auto thrice = [&] {
    for (int i = 0; i < 3; ++i) log();
  };
  thrice();  // 1 to 3
  put(ring.context, "Request", 1);
  ++ring.context_version;
  thrice();  // 4 to 6
  put(ring.logger, "Who", 1);
  ++ring.logger_serial;
  thrice();  // 7 to 9
  put(ring.logger, "Who", 2);
  ++ring.logger_serial;
  thrice();  // 10 to 12
  put(ring.enrichments, "Added", 1);
  log();  // 13
  ring.enrichments.clear();
  thrice();  // 14 to 16
  put(ring.context, "Request", 2);
  ring.writer().begin_thread();  // whose contexts have the same versions
  thrice();                      // 17 to 19
  ring.logger.clear();
  ++ring.logger_serial;
  thrice();  // 20 to 22

  const RingContents contents = read_ring(ring.bytes());
  EXPECT_EQ(contents.damaged, 0U);
  ASSERT_EQ(contents.lines.size(), 22U);
  for (int n = 1; n <= 22; ++n) {
    const json event = json::parse(contents.lines[static_cast<std::size_t>(n) - 1]);
    EXPECT_EQ(event["N"], n);
    EXPECT_EQ(event.value("Request", 0), n <= 3 ? 0 : n <= 16 ? 1 : 2) << n;
    EXPECT_EQ(event.value("Who", 0), n <= 6 || n >= 20 ? 0 : n <= 9 ? 1 : 2) << n;
    EXPECT_EQ(event.value("Added", 0), n == 13 ? 1 : 0) << n;
  }
}

TEST(Ring, looks_into_each_event_whose_values_tell_their_own_types) {
  RingInMemory ring;
  using Mixed = std::variant<int, std::string, std::vector<Person>>;
  const auto log = [&](const Mixed& value) { EXPECT_TRUE(ring.log("{@Value}", value)); };
  for (int i = 0; i < 3; ++i) log(i);
  log(std::vector<Person>{{"ann", {{"High", 1}}, std::nullopt}});
  const RingContents contents = read_ring(ring.bytes());
  ASSERT_EQ(contents.lines.size(), 4U);
  EXPECT_EQ(json::parse(contents.lines[3])["Value"][0]["name"], "ann");
}

TEST(Ring, tells_times_of_the_processors_counter) {
  std::vector<std::uint64_t> words((cairn::detail::RingHeader::bytes + cairn::detail::ring_blocks * 16384) / 8);
  cairn::detail::RingWriter writer(std::as_writable_bytes(std::span(words)), "boot", 1);
  static constexpr const cairn::detail::ValueType* none[] = {nullptr};
  static constexpr auto site = cairn::detail::CallSite::of(
      "x", none, cairn::Level::warning, cairn::detail::SourcePlace::of(std::source_location::current()));
  const cairn::detail::PropertyBlock empty;
  cairn::detail::RecordHeader record;
  record.size_and_flags = 3U << cairn::detail::RecordHeader::size_shift | 3U | cairn::detail::RecordHeader::tsc_time;
  record.site = &site;
  const auto before = cairn::detail::TscClock::sample();
  record.time = static_cast<std::int64_t>(before.ticks);
  ASSERT_TRUE(writer.write({record, empty, 1, empty, 1}));
  auto now = cairn::detail::TscClock::sample();
  now.ticks = before.ticks + 3'000'000'000ULL;  // a second later, on a processor of 3 GHz
  now.steady = before.steady + 1'000'000'000;
  cairn::detail::RingBytesInMemory in_memory(std::as_bytes(std::span(words)));
  cairn::detail::RingReader reader(in_memory, "boot", now, std::make_shared<cairn::detail::RecoveredTypes>());
  cairn::detail::RecoveredEvent event;
  ASSERT_TRUE(reader.next(event));
  EXPECT_LT(std::abs(event.time - before.wall), 1'000'000);
  EXPECT_EQ(event.view().level(), cairn::Level::warning);
}

TEST(Ring, forgets_what_was_acknowledged) {
  RingInMemory ring;
  for (int i = 0; i < 10; ++i) ring.log("{N}", i);
  EXPECT_EQ(ring.writer().next(), 10U);
  ring.writer().acknowledge(7);
  ring.writer().acknowledge(3);  // never back
  EXPECT_EQ(read_ring(ring.bytes()).numbers, (std::vector<std::uint64_t>{7, 8, 9}));
  ring.writer().acknowledge(10);
  EXPECT_TRUE(read_ring(ring.bytes()).lines.empty());
}

TEST(Ring, that_goes_round_keeps_the_newest_in_order_and_counts_what_it_overwrote) {
  RingInMemory ring;
  const std::string padding(100, 'p');
  constexpr std::uint64_t events = 5000;
  for (std::uint64_t i = 0; i < events; ++i) {
    ring.log("{N} {Padding}", i, padding);
    if (i % 3 == 0) ring.log_dynamic("{N} of another template", i);
  }
  const RingContents contents = read_ring(ring.bytes());
  EXPECT_EQ(contents.damaged, 0U);
  ASSERT_GT(contents.numbers.size(), 500U);
  const std::uint64_t logged = ring.writer().next();
  EXPECT_EQ(contents.numbers.back(), logged - 1);
  for (std::size_t i = 1; i < contents.numbers.size(); ++i) ASSERT_EQ(contents.numbers[i], contents.numbers[i - 1] + 1);
  EXPECT_EQ(contents.overwritten, logged - contents.numbers.size());
  EXPECT_EQ(ring.writer().overwritten(), contents.overwritten);
}

TEST(Ring, counts_nothing_as_overwritten_that_was_acknowledged) {
  RingInMemory ring;
  const std::string padding(100, 'p');
  for (std::uint64_t i = 0; i < 5000; ++i) {
    ring.log("{N} {Padding}", i, padding);
    ring.writer().acknowledge(i + 1);
  }
  EXPECT_EQ(ring.writer().overwritten(), 0U);
  EXPECT_TRUE(read_ring(ring.bytes()).lines.empty());
}

TEST(Ring, leaves_out_and_counts_what_no_block_has_room_for) {
  RingInMemory ring;
  ring.log("{N}", 1);
  EXPECT_FALSE(ring.log("{Text}", std::string(20'000, 'x')));
  EXPECT_TRUE(ring.log("{N}", 3));
  EXPECT_EQ(ring.writer().left_out(), 1U);
  EXPECT_EQ(read_ring(ring.bytes()).numbers, (std::vector<std::uint64_t>{0, 2}));
}

/// A ring with something of everything.
RingInMemory& full_ring() {
  static RingInMemory* const made = [] {
    auto* ring = new RingInMemory;
    const cairn::OwnedValue id(7);
    for (int i = 0; i < 100; ++i) {
      if (i % 50 == 0) {
        ring->context.replace("RequestId", cairn::OwnedValue(i).view());
        ++ring->context_version;
      }
      ring->log("{N} {@Person}", i, Person{"ann", {{"High", i}}, std::nullopt});
      ring->log("{N} {@Tree} {Text}", i, Tree{i, {{1, {}}, {2, {}}}}, std::string("some text"));
      ring->log_dynamic("{N} {Map}", i, std::map<std::string, double>{{"x", 1.0}});
      const std::runtime_error error("it broke");
      ring->write(cairn::Level::error, "Failed {N}", {&error, nullptr}, i);
    }
    return ring;
  }();
  return *made;
}

TEST(Ring, that_was_cut_off_anywhere_gives_what_is_left) {
  RingInMemory ring;
  for (int i = 0; i < 40; ++i) ring.log("{N} {@Person}", i, Person{"ann", {{"High", i}}, std::nullopt});
  std::vector<std::byte> bytes = ring.bytes();
  const std::vector<std::string> all = read_ring(bytes).lines;
  ASSERT_EQ(all.size(), 40U);
  const std::size_t begin = cairn::detail::RingHeader::bytes + 16 * 1024;  // of the one block in use, the second
  std::size_t before = 0;
  for (std::size_t size = 0; size <= begin + 12 * 1024; ++size) {
    const RingContents contents = read_ring(std::span(bytes).first(size));
    ASSERT_LE(contents.lines.size(), all.size());
    ASSERT_GE(contents.lines.size(), before);
    for (std::size_t i = 0; i < contents.lines.size(); ++i) ASSERT_EQ(contents.lines[i], all[i]);
    before = contents.lines.size();
    if (size > 8 && size < cairn::detail::RingHeader::bytes) {
      ASSERT_EQ(contents.status, Status::not_a_ring);
    }
  }
  EXPECT_EQ(before, all.size());
}

TEST(Ring, with_random_damage_loses_the_damaged_events_and_no_others) {
  const std::vector<std::byte> whole = full_ring().bytes();
  const RingContents good = read_ring(whole);
  ASSERT_EQ(good.lines.size(), 400U);
  std::map<std::uint64_t, std::string> expected;
  for (std::size_t i = 0; i < good.lines.size(); ++i) expected[good.numbers[i]] = good.lines[i];
  const std::uint32_t seed = std::random_device{}();
  std::mt19937 random(seed);
  std::vector<std::byte> bytes = whole;
  constexpr int rounds = cairn::testing::under_sanitizer ? 1'000 : 10'000;
  for (int round = 0; round < rounds; ++round) {
    const std::size_t at = random() % bytes.size();
    const auto flip = static_cast<std::byte>(1U << random() % 8U);
    bytes[at] ^= flip;
    const RingContents contents = read_ring(bytes);
    bytes[at] ^= flip;
    // A sum that does not hold is found; nothing else is believed. (What was acknowledged, and counts, are bare.)
    const bool bare = at >= cairn::detail::RingHeader::written_once && at < sizeof(cairn::detail::RingHeader);
    for (std::size_t i = 0; i < contents.lines.size(); ++i) {
      const auto found = expected.find(contents.numbers[i]);
      ASSERT_NE(found, expected.end()) << "seed " << seed << " round " << round;
      ASSERT_EQ(contents.lines[i], found->second) << "seed " << seed << " round " << round;
    }
    if (contents.status == Status::ok && !bare && contents.lines.size() < good.lines.size()) {
      ASSERT_GT(contents.damaged, 0U) << "seed " << seed << " round " << round << " byte " << at;
    }
  }
}

TEST(Ring, with_an_entry_that_claims_the_next_ones_for_itself_gives_no_event_a_context_of_others) {
  RingInMemory ring;
  for (int i = 0; i < 4; ++i) {
    if (i < 2) {
      ring.context.replace("RequestId", cairn::OwnedValue(i + 1).view());
      ++ring.context_version;
    }
    ring.log("{N}", i);
  }
  const std::vector<std::byte> whole = ring.bytes();
  ASSERT_EQ(read_ring(whole).lines.size(), 4U);
  // Of each entry in turn the size is that of it and the one after it.
  const std::size_t block = cairn::detail::RingHeader::bytes + 16 * 1024;
  const auto size_at = [&](std::size_t at) {
    std::uint64_t commit = 0;
    std::memcpy(&commit, whole.data() + at, sizeof(commit));
    return static_cast<std::size_t>(commit & 0xFFFFFFFFU);
  };
  int tried = 0;
  for (std::size_t at = block + sizeof(cairn::detail::RingBlock); size_at(at + size_at(at)) != 0; at += size_at(at)) {
    std::vector<std::byte> bytes = whole;
    const auto size = static_cast<std::uint32_t>(size_at(at) + size_at(at + size_at(at)));
    std::memcpy(bytes.data() + at, &size, sizeof(size));
    const RingContents contents = read_ring(bytes);
    EXPECT_GT(contents.damaged, 0U);
    for (const std::string& line : contents.lines) {
      const json event = json::parse(line);
      EXPECT_EQ(event["RequestId"], event["N"] == 0 ? 1 : 2) << line;
    }
    ++tried;
  }
  EXPECT_GT(tried, 5);
}

TEST(Ring, with_a_block_whose_generation_lost_its_one_bit_says_that_it_is_damaged) {
  std::vector<std::byte> bytes = full_ring().bytes();
  const std::size_t all = read_ring(bytes).lines.size();
  for (const std::size_t block : {1U, 2U, 4U}) {
    const std::size_t at =
        cairn::detail::RingHeader::bytes + block * 16 * 1024 + offsetof(cairn::detail::RingBlock, generation);
    std::uint64_t generation = 0;
    std::memcpy(&generation, bytes.data() + at, sizeof(generation));
    ASSERT_EQ(generation, block) << "the first use of each";
    std::memset(bytes.data() + at, 0, sizeof(generation));
    const RingContents contents = read_ring(bytes);
    std::memcpy(bytes.data() + at, &generation, sizeof(generation));
    EXPECT_LT(contents.lines.size(), all);
    EXPECT_EQ(contents.damaged, 1U) << block;
  }
}

TEST(Ring, of_bytes_that_somebody_made_up_is_read_to_its_end) {
  // Sums that hold over contents that do not: every byte of each entry in turn made something else.
  RingInMemory ring;
  for (int i = 0; i < 3; ++i) {
    const std::runtime_error error("it broke");
    ring.log("{@Tree} {Map}", Tree{i, {{1, {}, 4}}}, std::map<std::string, std::variant<int, double>>{{"x", 1.0}});
    ring.write(cairn::Level::error, "Failed {N}", {&error, nullptr}, std::vector<bool>{true});
  }
  const std::vector<std::byte> whole = ring.bytes();
  const std::size_t block = cairn::detail::RingHeader::bytes + 16 * 1024;
  std::uint64_t generation = 1;
  std::vector<std::byte> bytes = whole;
  std::uint64_t tried = 0;
  for (std::size_t at = block + sizeof(cairn::detail::RingBlock);;) {
    cairn::detail::RingEntry entry;
    std::memcpy(&entry, whole.data() + at, sizeof(entry));
    if (entry.commit == 0) break;
    const std::size_t size = entry.commit & 0xFFFFFFFFU;
    for (std::size_t byte = sizeof(entry) - 4; byte < size; ++byte) {
      for (const unsigned value : {0U, 1U, 0x7FU, 0x80U, 0xFFU}) {
        bytes[at + byte] = static_cast<std::byte>(value);
        std::memcpy(&entry, bytes.data() + at, sizeof(entry));
        const std::uint32_t crc =
            cairn::detail::crc32c(bytes.data() + at + sizeof(entry), size - sizeof(entry),
                                  cairn::detail::ring_sum_begin(generation, at - block, entry.kind));
        std::memcpy(bytes.data() + at + offsetof(cairn::detail::RingEntry, crc), &crc, sizeof(crc));
        for (const std::string& line : read_ring(bytes).lines) ASSERT_EQ(cairn::testing::fault_of_clef(line), "");
        ++tried;
      }
      std::memcpy(bytes.data() + at, whole.data() + at, size);
    }
    at += size;
  }
  EXPECT_GT(tried, 1000U);
}

TEST(Ring, ends_where_a_record_was_half_written) {
  RingInMemory ring;
  for (int i = 0; i < 5; ++i) ring.log("{N}", i);
  std::vector<std::byte> bytes = ring.bytes();
  // The last entry, as it is before its commit is stored.
  std::size_t at = cairn::detail::RingHeader::bytes + 16 * 1024 + sizeof(cairn::detail::RingBlock);
  std::size_t last = at;
  while (true) {
    std::uint64_t commit = 0;
    std::memcpy(&commit, bytes.data() + at, sizeof(commit));
    if (commit == 0) break;
    last = at;
    at += commit & 0xFFFFFFFFU;
  }
  std::memset(bytes.data() + last, 0, 8);
  const RingContents contents = read_ring(bytes);
  EXPECT_EQ(contents.numbers, (std::vector<std::uint64_t>{0, 1, 2, 3}));
  EXPECT_EQ(contents.damaged, 0U);
}

TEST(Ring, does_not_read_what_an_older_use_of_a_block_left) {
  RingInMemory ring;
  const std::string padding(100, 'p');
  std::uint64_t i = 0;
  // Into the second use of the first block, then a few events only: behind them stands what was there before.
  while (ring.writer().overwritten() == 0) ring.log("{N} {Padding}", i++, padding);
  ring.log("{N} {Padding}", i++, padding);
  const RingContents contents = read_ring(ring.bytes());
  EXPECT_EQ(contents.damaged, 0U);
  EXPECT_EQ(contents.numbers.back(), i - 1);
  EXPECT_EQ(contents.numbers.size(), i - contents.overwritten);
}

TEST(Ring, of_another_start_version_layout_or_processor_is_told_and_left_alone) {
  RingInMemory ring;
  ring.log("{N}", 1);
  const std::vector<std::byte> bytes = ring.bytes();
  const auto with = [&](std::size_t at, std::uint32_t value) {
    std::vector<std::byte> changed = bytes;
    std::memcpy(changed.data() + at, &value, sizeof(value));
    return read_ring(changed);
  };
  using cairn::detail::RingHeader;
  const RingContents boot = read_ring(bytes, "another");
  EXPECT_EQ(boot.status, Status::other_boot);
  EXPECT_EQ(boot.problem,
            std::string("it is of another start of the computer (boot id ") + RingInMemory::boot_id + ")");
  EXPECT_TRUE(boot.lines.empty());
  const RingContents version = with(offsetof(RingHeader, version), 9);
  EXPECT_EQ(version.status, Status::other_version);
  EXPECT_EQ(version.problem, "it is of version 9 of crash rings, this reads version 2");
  EXPECT_EQ(with(offsetof(RingHeader, layout), 9).status, Status::other_version);
  EXPECT_EQ(with(offsetof(RingHeader, endian), 0x04030201).status, Status::other_version);
  EXPECT_EQ(with(0, 0).status, Status::not_a_ring);
  EXPECT_EQ(read_ring({}).status, Status::unused);
  EXPECT_EQ(read_ring(std::vector<std::byte>(100'000)).status, Status::unused);
}

}  // namespace
