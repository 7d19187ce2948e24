#include "cli/live_share.h"

#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

std::optional<LiveShare> share_in(const char* text) {
  return live_share(boost::json::parse(text).as_object());
}

TEST(LiveShare, IsWhatTheSecondVersionGets) {
  const auto share =
      share_in(R"({"aliases":[{"name":"beta","version":"1"},)"
               R"({"name":"live","version":"3","additional":{"version":"2","weight":0.125}}]})");
  ASSERT_TRUE(share);
  EXPECT_EQ(share->version, "2");
  EXPECT_EQ(share->percent, "12.5 %");
  EXPECT_EQ(share->rest, "87.5 %");
}

TEST(LiveShare, IsNothingWhereOneVersionHasAllCalls) {
  EXPECT_FALSE(share_in("{}"));
  EXPECT_FALSE(share_in(R"({"aliases":[{"name":"live","version":"3"}]})"));
  EXPECT_FALSE(share_in(R"({"aliases":[{"name":"beta","version":"3",)"
                        R"("additional":{"version":"2","weight":0.5}}]})"));
}

}  // namespace
}  // namespace lambda::cli
