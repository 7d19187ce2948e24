#include "server/memory_room.h"

#include "base/temporary_directory.h"

#include <gmock/gmock.h>

#include <fstream>

namespace lambda::server {
namespace {

namespace fs = std::filesystem;

class MemoryRooms : public testing::Test {
 public:
  MemoryRooms() {
    write("proc/meminfo", "MemTotal:        1000 kB\nMemFree: 1 kB\nMemAvailable:     300 kB\n");
  }
  void write(const fs::path& file, const std::string& text) const {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }
  static constexpr std::uint64_t kKilobyte = 1024;
  TemporaryDirectory temporary_;
  fs::path root_ = temporary_.path();
};

TEST_F(MemoryRooms, AreTheMachinesWhereNoCgroupLimits) {
  const auto rooms = memory_rooms({}, root_);
  ASSERT_EQ(rooms.size(), 1u);
  EXPECT_EQ(rooms[0].bytes, 1000 * kKilobyte);
  EXPECT_EQ(rooms[0].available, 300 * kKilobyte);
}

TEST_F(MemoryRooms, AreThoseOfEveryLimitedCgroupAbove) {
  write("proc/self/cgroup", "0::/system.slice/lambda.service/lambda-server\n");
  write("proc/self/mountinfo", "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  const fs::path service = "sys/fs/cgroup/system.slice/lambda.service";
  write(service / "memory.max", "102400\n");
  write(service / "memory.current", "92160\n");
  write(service / "memory.stat", "anon 5\ninactive_file 10240\nactive_file 1\n");
  write(service / "lambda-server/memory.max", "max\n");
  write(service / "lambda-server/memory.current", "5\n");
  write("sys/fs/cgroup/system.slice/memory.max", "max\n");
  write("sys/fs/cgroup/system.slice/memory.current", "5\n");
  const auto rooms = memory_rooms({}, root_);
  ASSERT_EQ(rooms.size(), 2u);
  EXPECT_EQ(rooms[1].bytes, 100 * kKilobyte);
  EXPECT_EQ(rooms[1].available, 20 * kKilobyte);
  EXPECT_THAT(rooms[1].of, testing::EndsWith("lambda.service"));
}

TEST_F(MemoryRooms, AreThoseOfAContainerOfTheFirstVersionToo) {
  write("proc/self/cgroup", "5:cpu:/\n4:memory:/docker/abc\n0::/\n");
  write("proc/self/mountinfo",
        "30 24 0:26 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "102400\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", "102400\n");
  const auto rooms = memory_rooms({}, root_);
  ASSERT_EQ(rooms.size(), 2u);
  EXPECT_EQ(rooms[1].available, 0u);
  // No limit is a very large one there.
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(memory_rooms({}, root_).size(), 1u);
}

TEST_F(MemoryRooms, AreThatOfTheFunctionsToo) {
  write("sys/fs/cgroup/lambda-1/memory.max", "102400\n");
  write("sys/fs/cgroup/lambda-1/memory.current", "51200\n");
  const auto rooms = memory_rooms("/sys/fs/cgroup/lambda-1", root_);
  ASSERT_EQ(rooms.size(), 2u);
  EXPECT_EQ(rooms[1].available, 50 * kKilobyte);
}

TEST(MemoryShortage, IsThatOfTheRoomThatLacksMost) {
  const std::vector<MemoryRoom> rooms = {{"the machine", 1000, 90}, {"/a", 100, 1}};
  EXPECT_FALSE(shortage_in(rooms, 1));
  EXPECT_FALSE(shortage_in(rooms, 0));
  const auto some = shortage_in(rooms, 5);
  ASSERT_TRUE(some);
  EXPECT_EQ(some->room.of, "/a");
  EXPECT_EQ(some->bytes, 4u);
  const auto more = shortage_in(rooms, 20);
  ASSERT_TRUE(more);
  EXPECT_EQ(more->room.of, "the machine");
  EXPECT_EQ(more->bytes, 110u);
}

}  // namespace
}  // namespace lambda::server
