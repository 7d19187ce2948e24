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

TEST(LiveShare, ThatEndedIsTold) {
  const auto answer = boost::json::parse(R"({"shared":{"version":"3","weight":0.1}})").as_object();
  EXPECT_EQ(
      ended_share_text(answer, 5),
      "live was shared: 10 % of the calls went to version 3; all of them go to version 5 now");
  EXPECT_EQ(ended_share_text({}, 5), "");
}

}  // namespace
}  // namespace lambda::cli
