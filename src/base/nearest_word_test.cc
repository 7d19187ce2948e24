#include "base/nearest_word.h"

#include <gtest/gtest.h>

namespace lambda {
namespace {

TEST(NearestWord, IsTheOneThatWasMeant) {
  const std::vector<std::string> words = {"deploy", "delete", "list", "logs", "url"};
  EXPECT_EQ(nearest_word("deplyo", words), "deploy");
  EXPECT_EQ(nearest_word("lst", words), "list");
  EXPECT_EQ(nearest_word("log", words), "logs");
  EXPECT_EQ(nearest_word("urll", words), "url");
}

TEST(NearestWord, IsNoneWhereNoneIsNear) {
  EXPECT_EQ(nearest_word("xyzxyz", {"deploy", "delete"}), "");
  EXPECT_EQ(nearest_word("rm", {"url", "ls"}), "");
  EXPECT_EQ(nearest_word("x", {"y"}), "");
}

}  // namespace
}  // namespace lambda
