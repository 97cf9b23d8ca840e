// P1, with a crash ring: the file that it is. What room it takes and what becomes of a logger that has none, who may
// read it, and what it leaves alone.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cairn/all.hpp>
#include <cairn/memory_sink.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "platform/crc32c.hpp"
#include "ring/ring_file.hpp"
#include "support/crash_ring_tests.hpp"
#include "support/in_child.hpp"
#include "support/log_folder.hpp"
#include "support/sanitizers.hpp"

namespace {

using cairn::testing::HungSink;
using cairn::testing::in_child;
using cairn::testing::leave_events;
using cairn::testing::LogFolder;
using cairn::testing::recover;
using cairn::testing::ring_folder;
using cairn::testing::rings_in;
using cairn::testing::with_ring;

/// In a process of its own: loggers of other tests have rings, too.
int use_rings_in_a_budget(const LogFolder& folder) {
  ::alarm(20);  // what waits in vain ends badly
  std::vector<std::string> told;
  constexpr std::uint64_t ring = 1U << 20U;
  const auto use = [&](std::uint64_t budget) {
    cairn::Configuration config;
    config.write_to(std::make_shared<cairn::MemorySink>(), "sink").with_queue();
    config.with_crash_ring({.application = "app", .folder = folder.path(), .thread_bytes = ring})
        .memory_budget({.max_bytes = budget})
        .on_internal_error([&](std::string_view what) { told.emplace_back(what); });
    return config.create_logger();
  };
  {
    const auto log = use(8 * ring);
    EXPECT_GE(log.metrics().memory.used_bytes, ring);
    std::thread([&] {
      log.information("{N}", 1);
      EXPECT_EQ(rings_in(folder).size(), 1U);  // the first, which was nobody's yet
    }).join();
    log.information("{N}", 2);
    EXPECT_EQ(log.metrics().logger.crash_ring, "on");
    log.close();
  }
  {
    const auto log = use(4 * ring - 1);
    EXPECT_EQ(log.metrics().logger.crash_ring,
              "disabled: the memory budget has no room for a ring of " + std::to_string(ring) + " bytes");
    EXPECT_FALSE(std::filesystem::exists(ring_folder(folder)));
    log.information("{N}", 3);
    EXPECT_EQ(log.flush().status, cairn::FlushStatus::ok);
    EXPECT_EQ(log.metrics().sinks.front().emitted, 1U);
    EXPECT_EQ(told.size(), 1U);
    while (log.metrics().memory.used_bytes >= ring) std::this_thread::yield();  // the first logger's is given back
    log.close();
  }
  return ::testing::Test::HasFailure() ? 1 : 0;
}

TEST(P1CrashRing, is_part_of_the_memory_budget) {
  const LogFolder folder;
  EXPECT_EQ(in_child([&] { return use_rings_in_a_budget(folder); }), 0);
}

TEST(P1CrashRing, makes_its_ring_of_the_room_that_recovery_gives_back) {
  if (cairn::testing::under_thread_sanitizer) GTEST_SKIP() << "it lets no child of several threads start one";
  const LogFolder folder;
  constexpr int no_mount = 77;
  const int status = in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=6m") != 0)
      return no_mount;
    leave_events(folder, 10);  // 4 of the 6 MiB
    std::vector<std::string> told;
    const auto sink = std::make_shared<cairn::MemorySink>();
    const auto log = with_ring(folder, sink)
                         .on_internal_error([&](std::string_view what) { told.emplace_back(what); })
                         .create_logger();
    EXPECT_EQ(sink->events().size(), 10U);
    EXPECT_EQ(log.metrics().logger.crash_ring, "on");
    EXPECT_TRUE(told.empty()) << told.front();
    EXPECT_EQ(rings_in(folder).size(), 1U);
    std::thread([&] {
      log.information("{N} has the first", 1);
      std::thread([&] { log.information("{N} has none", 2); }).join();
    }).join();
    EXPECT_TRUE(log.metrics().logger.crash_ring.starts_with("disabled: there is no room for a ring"));
    EXPECT_EQ(told.size(), 1U);
    log.close();
    return ::testing::Test::HasFailure() ? 1 : 0;
  });
  if (status == no_mount) GTEST_SKIP() << "NOT TESTED: mounting a tmpfs needs root";
  EXPECT_EQ(status, 0);
}

TEST(P1CrashRing, is_had_by_a_later_thread_once_there_is_room) {
  EXPECT_EQ(in_child([&] {  // loggers of other tests have rings, too
              ::alarm(60);
              const LogFolder folder;
              constexpr std::uint64_t ring = 1U << 20U;
              std::vector<std::string> told;
              const auto use = [&](const char* application) {
                cairn::Configuration config;
                config.write_to(std::make_shared<cairn::MemorySink>(), "sink").with_queue();
                config.with_crash_ring({.application = application, .folder = folder.path(), .thread_bytes = ring})
                    .memory_budget({.max_bytes = 4 * ring})  // for one ring
                    .on_internal_error([&](std::string_view what) { told.emplace_back(what); });
                return config.create_logger();
              };
              std::optional<cairn::Logger> first(use("first"));
              const auto log = use("second");
              EXPECT_TRUE(log.metrics().logger.crash_ring.starts_with("disabled: "));
              EXPECT_EQ(told.size(), 1U);
              first->close();
              first.reset();
              while (log.metrics().logger.crash_ring != "on") std::thread([&] { log.information("{N}", 1); }).join();
              EXPECT_EQ(told.size(), 1U);
              log.close();
              return ::testing::Test::HasFailure() ? 1 : 0;
            }),
            0);
}

TEST(P1CrashRing, holds_no_secret) {
  const LogFolder folder;
  ASSERT_EQ(in_child([&] {
              const auto log = with_ring(folder, std::make_shared<HungSink>()).create_logger();
              const std::string key = "S3CR3T-1234567890";
              log.for_context("Key", cairn::secret(key))
                  .information("{Key} {Pair}", cairn::secret(key), std::pair(1, cairn::secret(key)));
              const auto scope = cairn::LogContext::push("Token", cairn::secret(key));
              log.information("{Plain}", "PL41N");
              ::kill(::getpid(), SIGKILL);
              return 0;
            }),
            128 + SIGKILL);
  ASSERT_EQ(rings_in(folder).size(), 1U);
  const std::string bytes = folder.read("app-" + std::to_string(::geteuid()) + '/' + rings_in(folder).front());
  EXPECT_EQ(bytes.find("S3CR3T"), std::string::npos);
  EXPECT_NE(bytes.find("PL41N"), std::string::npos) << "it does look";
}

TEST(P1CrashRing, is_readable_by_its_user_alone) {
  const LogFolder folder;
  const mode_t before = ::umask(0);
  const auto log = with_ring(folder, std::make_shared<cairn::MemorySink>()).create_logger();
  ::umask(before);
  const std::string path = folder.path("app-" + std::to_string(::geteuid()));
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0700U);
  ASSERT_EQ(::stat((path + '/' + rings_in(folder).front()).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
}

TEST(P1CrashRing, that_cannot_be_made_leaves_the_logger_at_work_and_says_why) {
  const LogFolder folder;
  folder.write("file", "");
  std::vector<std::string> told;
  const auto sink = std::make_shared<cairn::MemorySink>();
  cairn::Configuration config;
  config.write_to(sink, "sink").with_queue();
  config.with_crash_ring({.application = "app", .folder = folder.path("file")})
      .on_internal_error([&](std::string_view what) { told.emplace_back(what); });
  const auto log = config.create_logger();
  log.information("{N}", 1);
  EXPECT_EQ(log.flush().status, cairn::FlushStatus::ok);
  EXPECT_EQ(sink->events().size(), 1U);
  EXPECT_TRUE(log.metrics().logger.crash_ring.starts_with("disabled: cannot make "));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(told[0].starts_with("crash_ring: disabled(cannot make ")) << told[0];
}

TEST(P1CrashRing, of_a_folder_that_others_may_enter_is_not_used) {
  const LogFolder folder;
  const std::string path = folder.path("app-" + std::to_string(::geteuid()));
  ASSERT_EQ(::mkdir(path.c_str(), 0755), 0);
  const auto log =
      with_ring(folder, std::make_shared<cairn::MemorySink>()).on_internal_error([](auto) {}).create_logger();
  EXPECT_EQ(log.metrics().logger.crash_ring, "disabled: " + path + " is open to other users: its mode must be 0700");
}

TEST(P1CrashRing, needs_a_queue_for_every_sink_and_says_so) {
  cairn::Configuration config;
  config.write_to_null().with_queue();
  config.write_to_null().with_name("second");
  config.with_crash_ring({.application = "a/b", .folder = "here", .thread_bytes = 1});
  try {
    (void)config.create_logger();
    FAIL() << "it was created";
  } catch (const cairn::ConfigurationError& error) {
    ASSERT_EQ(error.problems().size(), 4U);
    EXPECT_TRUE(error.problems()[0].starts_with("with_crash_ring: sink second is synchronous")) << error.problems()[0];
  }
}

TEST(P1CrashRing, leaves_alone_what_is_no_ring_of_ours) {
  const LogFolder folder;
  leave_events(folder, 3);
  const std::string path = folder.path("app-" + std::to_string(::geteuid())) + '/';
  const std::string name = rings_in(folder).front();
  std::filesystem::copy(path + name, path + "1-0.ring");
  {  // of another start of the computer
    std::fstream ring(path + "1-0.ring", std::ios::in | std::ios::out | std::ios::binary);
    std::string header(cairn::detail::RingHeader::written_once, '\0');
    ring.read(header.data(), static_cast<std::streamsize>(header.size()));
    header[offsetof(cairn::detail::RingHeader, boot_id)] ^= 1;
    std::uint32_t crc = 0;
    std::memcpy(header.data() + offsetof(cairn::detail::RingHeader, crc), &crc, sizeof(crc));
    crc = cairn::detail::crc32c(header.data(), header.size());
    std::memcpy(header.data() + offsetof(cairn::detail::RingHeader, crc), &crc, sizeof(crc));
    ring.seekp(0);
    ring.write(header.data(), static_cast<std::streamsize>(header.size()));
  }
  std::ofstream(path + "2-0.ring") << "garbage";
  ASSERT_EQ(::mkfifo((path + "3-0.ring").c_str(), 0600), 0);
  std::filesystem::create_symlink(path + name, path + "4-0.ring");
  std::ofstream(path + "6-0.ring");
  std::filesystem::resize_file(path + "6-0.ring", 7ULL << 30U);
  std::ofstream(path + "5-0.ring");  // whoever made it was killed before anything was in it
  std::vector<std::string> told;
  const auto lines = recover(folder, [&](cairn::Configuration& config) {
    config.on_internal_error([&](std::string_view what) { told.emplace_back(what); });
  });
  EXPECT_EQ(lines.size(), 3U);
  EXPECT_EQ(rings_in(folder), (std::vector<std::string>{"1-0.ring", "2-0.ring", "3-0.ring", "4-0.ring", "6-0.ring"}));
  ASSERT_FALSE(told.empty());
  EXPECT_NE(told[0].find("1-0.ring: it is of another start of the computer"), std::string::npos) << told[0];
}

TEST(P1CrashRing, leaves_no_descriptor_to_a_program_that_is_started_P9) {
  const LogFolder folder;
  const auto log = with_ring(folder, std::make_shared<cairn::MemorySink>()).create_logger();
  log.information("{N}", 1);
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry.path(), gone);
    if (gone || !target.starts_with(folder.path())) continue;
    ++found;
    EXPECT_NE(::fcntl(std::stoi(entry.path().filename()), F_GETFD) & FD_CLOEXEC, 0) << target;
  }
  EXPECT_EQ(found, 2) << "the folder and the ring";
  log.close();
}

}  // namespace
