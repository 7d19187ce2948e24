// The reading of cgroup files; the guard as a whole is shown by the contract tests, in containers.
#include "sandbox/init/memory_guard.h"

#include <gtest/gtest.h>

namespace lambda::sandbox::init {
namespace {

TEST(MemoryGuard, ReadsTheNumberBehindAKey) {
  const char* text = "cache 9654272\nrss 2711552\nrss_huge 7\nshmem 42\n";
  EXPECT_EQ(number_behind(text, "rss"), 2711552u);
  EXPECT_EQ(number_behind(text, "rss_huge"), 7u);
  EXPECT_EQ(number_behind(text, "shmem"), 42u);
  EXPECT_EQ(number_behind(text, "cache"), 9654272u);
  EXPECT_EQ(number_behind(text, "hmem"), 0u);
  EXPECT_EQ(number_behind("oom_kill_disable 0\nunder_oom 0\noom_kill 3", "oom_kill"), 3u);
  EXPECT_EQ(number_behind("", "rss"), 0u);
}

TEST(MemoryGuard, WithoutALimitItNeverLooks) {
  MemoryGuard guard;
  EXPECT_EQ(guard.pause(), -1);
  EXPECT_EQ(guard.peak(), -1);
  EXPECT_FALSE(guard.look());
  EXPECT_FALSE(guard.kernel_killed());
}

}  // namespace
}  // namespace lambda::sandbox::init
