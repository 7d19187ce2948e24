#include "cli/unknown_name.h"

#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

std::string told(const Error& error, const std::string& name) {
  return unknown_name(error, name, "lambda queue", {"list", "show"}).message();
}

TEST(UnknownName, MayHaveBeenACommand) {
  const Error error(ErrorCode::not_found, "there is none");
  EXPECT_EQ(told(error, "lsit"),
            "there is none\n        If a command was meant: lambda queue list");
  EXPECT_EQ(told(error, "frobnicate"),
            "there is none\n        The commands of `lambda queue` are list, show");
}

TEST(UnknownName, LeavesOtherErrorsAlone) {
  EXPECT_EQ(told(Error(ErrorCode::denied, "no"), "lsit"), "no");
}

}  // namespace
}  // namespace lambda::cli
