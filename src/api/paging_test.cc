#include "api/paging.h"

#include "base/encoding.h"

#include <gtest/gtest.h>

namespace lambda::api {
namespace {

http::Request asking(const std::string& query) {
  http::Request request;
  request.method = "GET";
  request.target = "/2015-03-31/functions" + (query.empty() ? "" : "?" + query);
  return request;
}

const std::vector<std::string> kKeys = {"a", "b", "c", "d", "e"};

TEST(Paging, WalksThroughAllItemsOnce) {
  std::string marker;
  std::vector<std::string> seen;
  do {
    const auto query = "MaxItems=2" + (marker.empty() ? "" : "&Marker=" + percent_encode(marker));
    const auto page = page_of(asking(query), kKeys, 50);
    ASSERT_TRUE(page);
    for (auto i = page->begin; i < page->end; ++i) seen.push_back(kKeys[i]);
    marker = page->next;
  } while (!marker.empty() && seen.size() < 20);
  EXPECT_EQ(seen, kKeys);
}

TEST(Paging, MissesNothingWhenWhatWasSeenIsDeletedMeanwhile) {
  const auto first = page_of(asking("MaxItems=2"), kKeys, 50);
  ASSERT_TRUE(first);
  const std::vector<std::string> left = {"c", "d", "e"};
  const auto second = page_of(asking("Marker=" + percent_encode(first->next)), left, 50);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->begin, 0u);
  EXPECT_EQ(second->end, 3u);
  EXPECT_EQ(second->next, "");
}

TEST(Paging, APageIsNeverLongerThanTheServersMost) {
  EXPECT_EQ(page_of(asking("MaxItems=10000"), kKeys, 3)->end, 3u);
  EXPECT_EQ(page_of(asking(""), kKeys, 3)->end, 3u);
}

TEST(Paging, RefusesWhatAwsRefuses) {
  EXPECT_EQ(page_of(asking("MaxItems=0"), kKeys, 50).error().message(),
            "1 validation error detected: Value '0' at 'maxItems' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1");
  EXPECT_EQ(page_of(asking("MaxItems=10001"), kKeys, 50).error().message(),
            "1 validation error detected: Value '10001' at 'maxItems' failed to satisfy "
            "constraint: Member must have value less than or equal to 10000");
  EXPECT_EQ(page_of(asking("MaxItems=x"), kKeys, 50).error().aws_type(), "SerializationException");
  EXPECT_EQ(page_of(asking("Marker=nonsense"), kKeys, 50).error().code(), ErrorCode::invalid);
}

TEST(Paging, VersionsSortByNumberBehindTheirFunction) {
  EXPECT_LT(version_key("a", 0), version_key("a", 2));
  EXPECT_LT(version_key("a", 2), version_key("a", 10));
  EXPECT_LT(version_key("a", 10), version_key("a-b", 0));
}

}  // namespace
}  // namespace lambda::api
