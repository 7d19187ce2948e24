#include "base/machine_facts.h"

#include "base/temporary_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace lambda {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

TEST(Machine, IsReadFromProcAndSys) {
  const TemporaryDirectory root;
  write(root.path() / "proc/sys/kernel/seccomp/actions_avail", "kill_process errno allow\n");
  write(root.path() / "proc/sys/user/max_user_namespaces", "77\n");
  write(root.path() / "proc/sys/kernel/pid_max", "32768\n");
  write(root.path() / "sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
  const auto facts = look_at_machine(root.path(), root.path());
  EXPECT_TRUE(facts.seccomp);
  EXPECT_EQ(facts.user_namespaces, 77u);
  EXPECT_EQ(facts.pid_max, 32'768u);
  EXPECT_TRUE(facts.cgroup_v2);
  EXPECT_THAT(facts.controllers, ElementsAre("cpuset", "cpu", "io", "memory", "pids"));
  EXPECT_GT(facts.open_files, 0u);
  EXPECT_GT(facts.data.all_bytes, 0u);
  EXPECT_EQ(facts.data.problem, "");
  EXPECT_EQ(std::distance(fs::directory_iterator(root.path()), fs::directory_iterator()), 2);
}

TEST(Machine, HasTheControllersThatAreSwitchedOn) {
  const TemporaryDirectory root;
  write(root.path() / "proc/cgroups",
        "#subsys_name\thierarchy\tnum_"
        "cgroups\tenabled\ncpu\t3\t1\t1\nmemory\t0\t1\t0\npids\t5\t1\t1\n");
  const auto facts = look_at_machine(root.path(), root.path());
  EXPECT_FALSE(facts.cgroup_v2);
  EXPECT_THAT(facts.controllers, ElementsAre("cpu", "pids"));
  EXPECT_FALSE(facts.seccomp);
  EXPECT_FALSE(facts.user_namespaces);
}

TEST(Machine, IsSeenByOthersWithoutWritingToIt) {
  const TemporaryDirectory root;
  const auto before = fs::last_write_time(root.path());
  const auto facts = look_at_machine_of_others(root.path());
  EXPECT_EQ(facts.data.problem, "");
  EXPECT_GT(facts.data.all_bytes, 0u);
  EXPECT_FALSE(facts.kernel.empty());
  EXPECT_EQ(fs::last_write_time(root.path()), before);
}

TEST(Machine, SaysWhyNothingCanBeWritten) {
  const TemporaryDirectory root;
  EXPECT_EQ(look_at_machine(root.path() / "none", root.path()).data.problem,
            "No such file or directory");
}

}  // namespace
}  // namespace lambda
