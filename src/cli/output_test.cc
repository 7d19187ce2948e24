#include "cli/output.h"

#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

TEST(Output, SaysSizesTimesAndCounts) {
  EXPECT_EQ(size_text(999), "999 B");
  EXPECT_EQ(size_text(1234), "1.2 KB");
  EXPECT_EQ(size_text(262'144'000), "262.1 MB");
  EXPECT_EQ(seconds_of("2026-01-02T03:04:05.678Z"), 1767323045);
  EXPECT_EQ(ago_text("2026-01-02T03:04:05.678Z", 1767323045 + 120), "2 minutes ago");
  EXPECT_EQ(ago_text("2026-01-02T03:04:05.678Z", 1767323045 - 5), "0 seconds ago");
  EXPECT_EQ(counted(1, "file"), "1 file");
  EXPECT_EQ(counted(3, "file"), "3 files");
}

TEST(Output, ShortensBetweenCharacters) {
  EXPECT_EQ(shortened("short", 5), "short");
  EXPECT_EQ(shortened("longer", 5), "longe...");
  EXPECT_EQ(shortened("grüße", 3), "gr...");
  EXPECT_EQ(shortened("grüße", 4), "grü...");
}

}  // namespace
}  // namespace lambda::cli
