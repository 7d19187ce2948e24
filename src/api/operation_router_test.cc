#include "api/operation_router.h"

#include <gtest/gtest.h>

#include <set>

namespace lambda::api {
namespace {

http::Request asking(std::string method, std::string target) {
  http::Request request;
  request.method = std::move(method);
  request.target = std::move(target);
  return request;
}

class Router : public testing::Test {
 protected:
  [[nodiscard]] const Operation* found(const std::string& method, const std::string& target) const {
    const auto matched = router_.match(asking(method, target));
    return matched ? matched->operation : nullptr;
  }
  OperationRouter router_;
};

TEST_F(Router, OneSlashAtTheEndIsTheSamePath) {
  for (const char* path : {"/2015-03-31/functions", "/2015-03-31/event-source-mappings",
                           "/2016-08-19/account-settings", "/2015-03-31/functions/f/versions"}) {
    ASSERT_NE(found("GET", path), nullptr) << path;
    EXPECT_EQ(found("GET", path), found("GET", std::string(path) + "/")) << path;
  }
  EXPECT_EQ(found("GET", "/2015-03-31/functions//"), nullptr);
}

TEST_F(Router, WhatIsEncodedIsDecodedOnceAndAfterTheSplit) {
  const auto arn = router_.match(
      asking("GET", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A0%3Afunction%3Af"));
  ASSERT_TRUE(arn);
  EXPECT_EQ(arn->captures, std::vector<std::string>{"arn:aws:lambda:us-east-1:0:function:f"});
  const auto slash = router_.match(asking("GET", "/2015-03-31/functions/a%2Fb%252F"));
  ASSERT_TRUE(slash);
  EXPECT_EQ(slash->captures, std::vector<std::string>{"a/b%2F"});
  const auto alias = router_.match(asking("PUT", "/2015-03-31/functions/f/aliases/live?x=1"));
  ASSERT_TRUE(alias);
  EXPECT_EQ(alias->captures, (std::vector<std::string>{"f", "live"}));
}

TEST_F(Router, AQueryParameterTellsTwoOperationsApart) {
  const std::string path = "/2019-09-30/functions/f/provisioned-concurrency";
  ASSERT_NE(found("GET", path + "?List=ALL"), nullptr);
  ASSERT_NE(found("GET", path + "?Qualifier=1"), nullptr);
  EXPECT_NE(found("GET", path + "?List=ALL"), found("GET", path + "?Qualifier=1"));
}

TEST_F(Router, AKnownPathWithAnotherMethodNamesThoseThereAre) {
  const auto matched = router_.match(asking("PATCH", "/2015-03-31/functions/f/code"));
  ASSERT_FALSE(matched);
  EXPECT_EQ(matched.error().aws_type(), "MethodNotAllowedException");
  EXPECT_NE(matched.error().message().find("PUT"), std::string::npos);
}

TEST_F(Router, AnOwnOperationRefusesAParameterThatItDoesNotTake) {
  const std::string path = "/_lambda/functions/f/events";
  const auto misspelt = router_.match(asking("DELETE", path + "?sate=waiting"));
  ASSERT_FALSE(misspelt);
  EXPECT_EQ(misspelt.error().code(), ErrorCode::invalid);
  EXPECT_EQ(misspelt.error().message(),
            "DELETE " + path + " has no parameter \"sate\"; it takes state");
  EXPECT_TRUE(router_.match(asking("DELETE", path + "?state=waiting")));
  EXPECT_TRUE(router_.match(asking("GET", path + "?state=dead&limit=5&before=x")));
  EXPECT_FALSE(router_.match(asking("GET", path + "?state=dead&Limit=5")));
  const auto none = router_.match(asking("DELETE", "/_lambda/functions/f?version=1"));
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message().find("\"version\"; it takes none"), std::string::npos);
  EXPECT_TRUE(router_.match(asking("GET", "/_lambda/status?docker=now")));
  // Of a request that is signed in its URL.
  EXPECT_TRUE(router_.match(asking("GET", "/_lambda/queue?function=f&X-Amz-Algorithm=A")));
  EXPECT_TRUE(router_.match(asking("GET", "/2015-03-31/functions?Unknown=1")));
}

TEST_F(Router, EveryOwnOperationThatNeedsAKeySaysWhichParametersItTakes) {
  for (const auto& route : router_.routes()) {
    const bool own = route.segments.front() == "_lambda";
    EXPECT_EQ(route.parameters.has_value(), own && route.rule.needs_key()) << route.segments.back();
  }
}

TEST_F(Router, AnUnknownPathIsNoOperation) {
  for (const char* path :
       {"/none", "/2015-03-31", "/2015-03-31/functions/f/none", "/2014-01-01/functions",
        "/2015-03-31/functions/f/code/more", "/_lambda/none"}) {
    const auto matched = router_.match(asking("GET", path));
    ASSERT_FALSE(matched) << path;
    EXPECT_EQ(matched.error().aws_type(), "UnknownOperationException") << path;
  }
}

TEST_F(Router, OnlyTheRootHealthAndSignedLinksNeedNoKey) {
  std::set<std::string> open;
  for (const auto& route : router_.routes()) {
    if (route.rule.needs_key()) continue;
    std::string path;
    for (const auto& segment : route.segments) path += "/" + segment;
    open.insert(route.method + " " + path);
  }
  EXPECT_EQ(open, (std::set<std::string>{"GET /", "HEAD /", "GET /_lambda/health",
                                         "GET /_lambda/code/*"}));
}

TEST_F(Router, NoRouteIsHiddenByAnother) {
  std::set<std::string> seen;
  for (const auto& route : router_.routes()) {
    std::string path = route.method;
    for (const auto& segment : route.segments) path += "/" + segment;
    EXPECT_TRUE(seen.insert(path + "?" + route.when_query).second) << path;
    // One that asks for a query parameter stands before the one that does not.
    if (!route.when_query.empty()) {
      EXPECT_FALSE(seen.contains(path + "?")) << path;
    }
  }
}

}  // namespace
}  // namespace lambda::api
