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

TEST(NearestWord, OfSeveralEquallyNearIsTheFirst) {
  NearestWord nearest("cast");
  for (const auto* word : {"something else", "vast", "past", "cats"}) nearest.offer(word);
  EXPECT_EQ(nearest.best(), "vast");
  nearest.offer("cast");
  EXPECT_EQ(nearest.best(), "cast");
}

TEST(NearestWord, IsNoneWhereNoneIsNear) {
  EXPECT_EQ(nearest_word("xyzxyz", {"deploy", "delete"}), "");
  EXPECT_EQ(nearest_word("rm", {"url", "ls"}), "");
  EXPECT_EQ(nearest_word("x", {"y"}), "");
}

}  // namespace
}  // namespace lambda
