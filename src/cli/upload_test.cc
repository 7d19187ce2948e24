#include "cli/upload.h"

#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

TEST(UploadBar, ShowsHowFarItIs) {
  EXPECT_EQ(bar_text(0, 4'000'000), "Uploading [                    ]   0% of 4.0 MB");
  EXPECT_EQ(bar_text(1'000'000, 4'000'000), "Uploading [#####               ]  25% of 4.0 MB");
  EXPECT_EQ(bar_text(4'000'000, 4'000'000), "Uploading [####################] 100% of 4.0 MB");
}

}  // namespace
}  // namespace lambda::cli
