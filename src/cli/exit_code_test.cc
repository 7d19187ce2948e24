#include "cli/exit_code.h"

#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

TEST(ExitCode, TellsKindsApart) {
  EXPECT_EQ(exit_code_of(ErrorCode::invalid), 2);
  EXPECT_EQ(exit_code_of(ErrorCode::function_failed), 3);
  EXPECT_EQ(exit_code_of(ErrorCode::denied), 4);
  EXPECT_EQ(exit_code_of(ErrorCode::not_found), 5);
  EXPECT_EQ(exit_code_of(ErrorCode::unavailable), 6);
  EXPECT_EQ(exit_code_of(ErrorCode::internal), 1);
}

TEST(ExitCode, HasAMeaningEach) {
  for (std::size_t i = 0; i + 1 < kExitCodes.size(); ++i)
    EXPECT_EQ(kExitCodes[i].code, static_cast<int>(i));
  EXPECT_EQ(kExitCodes.back().code, 130);
}

}  // namespace
}  // namespace lambda::cli
