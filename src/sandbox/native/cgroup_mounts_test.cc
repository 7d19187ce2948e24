#include "sandbox/native/cgroup_mounts.h"

#include "sandbox/native/cgroup_files.h"

#include <gtest/gtest.h>

namespace lambda::sandbox::native {
namespace {

TEST(CgroupMounts, ThoseOfTheHybridLayout) {
  const auto mounts = parse_cgroup_mounts(
      "21 1 0:19 / /sys rw - sysfs sysfs rw\n"
      "30 25 0:27 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw\n"
      "31 25 0:28 /docker/abc /sys/fs/cgroup/cpu,cpuacct rw master:11 - cgroup cgroup "
      "rw,cpu,cpuacct\n"
      "32 25 0:29 / /sys/fs/cgroup/memory rw - cgroup none rw,memory\n");
  ASSERT_EQ(mounts.size(), 3u);
  EXPECT_TRUE(mounts[0].v2);
  EXPECT_EQ(mounts[0].path, "/sys/fs/cgroup/unified");
  EXPECT_FALSE(mounts[1].v2);
  EXPECT_EQ(mounts[1].root, "/docker/abc");
  EXPECT_TRUE(has_word(mounts[1].options, "cpu", ','));
  EXPECT_FALSE(has_word(mounts[1].options, "memory", ','));
  EXPECT_TRUE(has_word(mounts[2].options, "memory", ','));
}

TEST(CgroupMounts, AHierarchyThatIsMountedTwiceIsOne) {
  const auto mounts = parse_cgroup_mounts(
      "30 25 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
      "31 25 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
      "32 25 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
      "40 35 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
      "41 35 0:28 / /mnt/cpu rw - cgroup cgroup rw,cpu\n");
  ASSERT_EQ(mounts.size(), 3u);
  EXPECT_TRUE(mounts[0].v2);
  EXPECT_EQ(mounts[1].path, "/sys/fs/cgroup/cpu");
  EXPECT_EQ(mounts[2].path, "/sys/fs/cgroup/pids");
}

TEST(CgroupMounts, NoneInOddText) {
  EXPECT_TRUE(parse_cgroup_mounts("").empty());
  EXPECT_TRUE(parse_cgroup_mounts("cgroup cgroup2\n - cgroup\n1 2 - cgroup x y\n").empty());
}

TEST(CgroupFiles, ValuesAreFoundByTheWholeKey) {
  constexpr std::string_view text = "anon_thp 7\nanon 42\nfile 9\n";
  EXPECT_EQ(value_of(text, "anon"), 42u);
  EXPECT_EQ(value_of(text, "file"), 9u);
  EXPECT_EQ(value_of(text, "shmem"), std::nullopt);
  EXPECT_EQ(value_of("", "anon"), std::nullopt);
}

TEST(CgroupFiles, WordsAreWholeWords) {
  EXPECT_TRUE(has_word("cpuset cpu memory\n", "memory"));
  EXPECT_TRUE(has_word("cpuset cpu memory\n", "cpu"));
  EXPECT_FALSE(has_word("cpuset memory\n", "cpu"));
  EXPECT_TRUE(has_word("rw,cpu,cpuacct", "cpu", ','));
}

}  // namespace
}  // namespace lambda::sandbox::native
