#include "cli/progress_bar.h"

#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

TEST(ProgressBar, ShowsHowFarItIs) {
  const auto at = [](std::uint64_t done) { return bar_text("Uploading", done, 4'000'000, 0); };
  EXPECT_EQ(at(0), "Uploading [                    ]   0% of 4.0 MB");
  EXPECT_EQ(at(1'000'000), "Uploading [#####               ]  25% of 4.0 MB");
  EXPECT_EQ(at(4'000'000), "Uploading [####################] 100% of 4.0 MB");
}

TEST(ProgressBar, FitsANarrowTerminal) {
  EXPECT_EQ(bar_text("Uploading", 1, 4, 20), "Uploading  25%");
  EXPECT_EQ(bar_text("Uploading", 1, 4, 5), "Uplo\xE2\x80\xA6");
  EXPECT_EQ(bar_text("Uploading", 1, 4, 80), bar_text("Uploading", 1, 4, 0));
}

}  // namespace
}  // namespace lambda::cli
