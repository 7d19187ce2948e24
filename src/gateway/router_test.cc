#include "gateway/router.h"

#include <gtest/gtest.h>

namespace lambda::gateway {
namespace {

Route route(const std::string& host, const std::string& target,
            const std::string& domain = "localhost") {
  http::Request request;
  request.method = "GET";
  request.target = target;
  if (!host.empty()) request.headers.add("Host", host);
  return Router(domain).route(request);
}

TEST(Router, FollowsTheHostWhateverThePath) {
  for (const auto* host : {"greet.localhost", "greet.localhost:8080", "GREET.LocalHost",
                           "greet.localhost.", "greet.localhost.:80"}) {
    for (const auto* path :
         {"/", "/2015-03-31/functions", "/metrics", "/fn/other/x", "/_lambda/x"}) {
      const auto found = route(host, path);
      EXPECT_EQ(found.door, Door::function_host) << host << path;
      EXPECT_EQ(found.name, "greet");
      EXPECT_EQ(found.target, path);
      EXPECT_EQ(found.prefix, "");
    }
  }
}

TEST(Router, TakesWhateverStandsBelowTheDomainForAFunction) {
  EXPECT_EQ(route("a.b.localhost", "/").name, "a.b");
  EXPECT_EQ(route("a.b.localhost", "/").door, Door::function_host);
  EXPECT_EQ(route("x.fn.example.org", "/", "fn.example.org").name, "x");
  EXPECT_EQ(route("x.localhost", "/", "fn.example.org").door, Door::api);
}

TEST(Router, GivesEveryOtherHostToTheApi) {
  for (const auto* host : {"localhost", "localhost:80", "127.0.0.1:8080", "[::1]:8080", "box.lan",
                           "", ".localhost", "greetlocalhost", "greet.localhost.evil.example"}) {
    EXPECT_EQ(route(host, "/2015-03-31/functions").door, Door::api) << host;
  }
}

TEST(Router, DropsThePrefixOfThePathDoor) {
  const auto found = route("127.0.0.1:8080", "/fn/My_Fn/a%20b?x=1&y");
  EXPECT_EQ(found.door, Door::function_path);
  EXPECT_EQ(found.name, "My_Fn");
  EXPECT_EQ(found.prefix, "/fn/My_Fn");
  EXPECT_EQ(found.target, "/a%20b?x=1&y");
  EXPECT_EQ(found.path(), "/a%20b");
  EXPECT_EQ(found.query(), "x=1&y");
}

TEST(Router, GivesThePathDoorARootPath) {
  EXPECT_EQ(route("localhost", "/fn/greet").target, "/");
  EXPECT_EQ(route("localhost", "/fn/greet/").target, "/");
  EXPECT_EQ(route("localhost", "/fn/greet?a=1").target, "/?a=1");
  EXPECT_EQ(route("localhost", "/fn/").door, Door::api);
  EXPECT_EQ(route("localhost", "/fn").door, Door::api);
  EXPECT_EQ(route("localhost", "/fnord/x").door, Door::api);
  EXPECT_EQ(route("localhost", "/fn//x").door, Door::api);
}

TEST(Router, DecodesTheNameOfThePathDoorOnce) {
  EXPECT_EQ(route("localhost", "/fn/gr%65et/x").name, "greet");
  EXPECT_EQ(route("localhost", "/fn/gr%2565et/x").name, "gr%65et");
  EXPECT_EQ(route("localhost", "/fn/..%2F..%2Fx/y").name, "../../x");
}

}  // namespace
}  // namespace lambda::gateway
