#include "deploy/dependencies/proxy_target.h"

#include <gtest/gtest.h>

namespace lambda::deploy {
namespace {

TEST(ProxyTarget, ConnectNamesHostAndPort) {
  const auto name = connect_target("registry.npmjs.org:443");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->host, "registry.npmjs.org");
  EXPECT_EQ(name->port, 443);
  const auto v6 = connect_target("[2606:4700::1]:8443");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "2606:4700::1");
  EXPECT_EQ(v6->port, 8443);
  for (const auto* wrong :
       {"registry.npmjs.org", "a:443/", "a b:443", "a\t:1", "a:443?x", "\xc3\xa9:443"})
    EXPECT_FALSE(connect_target(wrong)) << wrong;
}

TEST(ProxyTarget, TheUrlDecidesAndNotTheHostHeader) {
  http::Request request;
  request.method = "GET";
  request.target = "http://pypi.example.org:8080/simple?x=1";
  request.headers.add("Host", "other.example.org");
  request.headers.add("Connection", "X-Mine, keep-alive");
  request.headers.add("X-Mine", "1");
  request.headers.add("Proxy-Connection", "keep-alive");
  request.headers.add("Accept", "*/*");
  const auto target = forward_target(request);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->endpoint.host, "pypi.example.org");
  EXPECT_EQ(target->endpoint.port, 8080);
  EXPECT_EQ(target->request.target, "/simple?x=1");
  const auto& headers = target->request.headers;
  EXPECT_EQ(headers.get("Host"), "pypi.example.org:8080");
  EXPECT_EQ(headers.get("Connection"), "close");
  EXPECT_EQ(headers.get("Accept"), "*/*");
  EXPECT_FALSE(headers.has("X-Mine"));
  EXPECT_FALSE(headers.has("Proxy-Connection"));
}

TEST(ProxyTarget, AnAnswerLosesWhatIsOfItsConnection) {
  http::Response answer(200);
  answer.headers.add("Transfer-Encoding", "chunked");
  answer.headers.add("Connection", "upgrade");
  answer.headers.add("Upgrade", "h2c");
  answer.headers.add("ETag", "\"1\"");
  const auto passed = passed_on(std::move(answer));
  EXPECT_EQ(passed.headers.size(), 1u);
  EXPECT_TRUE(passed.headers.has("ETag"));
}

}  // namespace
}  // namespace lambda::deploy
