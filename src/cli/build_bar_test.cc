#include "cli/build_bar.h"

#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

TEST(BuildBar, ShowsTheStepThatIsUnderWay) {
  EXPECT_EQ(build_text(1, 4, 0), "Building [                    ] step 1 of 4");
  EXPECT_EQ(build_text(3, 4, 0), "Building [##########          ] step 3 of 4");
  EXPECT_EQ(build_text(3, 4, 15), "Building 3/4");
}

TEST(BuildBar, StepsAsideForOutput) {
  testing::internal::CaptureStderr();
  {
    BuildBar bar(true);
    bar.show();  // no step is known yet
    bar.read("Step 1/2 : FROM");
    bar.read(" x\nmore\nStep 7/2 is nothing\n");
    bar.show();
    bar.show();
    bar.hide();
    bar.read("Step 2/2 : RUN y\n");
    bar.show();
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "      Building [                    ] step 1 of 2\r\x1B[K"
            "      Building [##########          ] step 2 of 2\r\x1B[K");
}

TEST(BuildBar, IsNotThereInAPipe) {
  testing::internal::CaptureStderr();
  {
    BuildBar bar(false);
    bar.read("Step 1/2 : FROM x\n");
    bar.show();
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace lambda::cli
