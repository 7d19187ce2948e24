#include "gateway/event_mapper.h"

#include "base/encoding.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace lambda::gateway {
namespace {

namespace json = boost::json;

class EventMapper : public testing::Test {
 protected:
  EventMapper() {
    request_.method = "GET";
    request_.target = "/my/path?a=1&a=2&b=x%20y+z&c";
    request_.peer.address = "203.0.113.7";
    request_.peer.local_port = 8080;
    request_.headers.add("Host", "greet.localhost:8080");
    request_.headers.add("User-Agent", "curl/7.88.1");
    context_.request_id = "8f507cfc-0000-4000-8000-000000000001";
    context_.trace_id = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0";
    context_.url_id = "greet";
    context_.time = WallTime(std::chrono::milliseconds(1583348638390));
  }

  json::object event(const std::string& body = {}) {
    const auto text = make_event(request_, Router("localhost").route(request_), body, context_);
    boost::system::error_code error;
    auto value = json::parse(text, error);
    EXPECT_FALSE(error) << error.message() << " in " << text;
    EXPECT_TRUE(is_valid_utf8(text));
    return value.as_object();
  }

  http::Request request_;
  EventContext context_;
};

TEST_F(EventMapper, HasTheShapeOfPayloadVersionTwo) {
  const auto made = event();
  EXPECT_EQ(made.at("version"), "2.0");
  EXPECT_EQ(made.at("routeKey"), "$default");
  EXPECT_EQ(made.at("rawPath"), "/my/path");
  EXPECT_EQ(made.at("rawQueryString"), "a=1&a=2&b=x%20y+z&c");
  const auto expected = json::parse(R"({"a":"1,2","b":"x y z","c":""})");
  EXPECT_EQ(made.at("queryStringParameters"), expected);
  EXPECT_EQ(made.at("isBase64Encoded"), false);
  EXPECT_FALSE(made.contains("body"));
  EXPECT_FALSE(made.contains("cookies"));
  const auto context =
      json::parse(R"({"accountId":"anonymous","apiId":"greet","authentication":null,
      "domainName":"greet.localhost","domainPrefix":"greet",
      "http":{"method":"GET","path":"/my/path","protocol":"HTTP/1.1","sourceIp":"203.0.113.7",
              "userAgent":"curl/7.88.1"},
      "requestId":"8f507cfc-0000-4000-8000-000000000001","routeKey":"$default","stage":"$default",
      "time":"04/Mar/2020:19:03:58 +0000","timeEpoch":1583348638390})");
  EXPECT_EQ(made.at("requestContext"), context) << made.at("requestContext");
}

TEST_F(EventMapper, LeavesQueryParametersOutWhenThereAreNone) {
  request_.target = "/";
  const auto made = event();
  EXPECT_EQ(made.at("rawQueryString"), "");
  EXPECT_FALSE(made.contains("queryStringParameters"));
}

TEST_F(EventMapper, LowersAndJoinsHeadersAndKeepsCookiesApart) {
  request_.headers.add("X-Many", "1");
  request_.headers.add("x-many", "2");
  request_.headers.add("Cookie", "c1=x; c2=\"y z\"");
  request_.headers.add("cookie", "c3=3;");
  request_.headers.add("Connection", "keep-alive");
  const auto made = event();
  const auto& headers = made.at("headers").as_object();
  EXPECT_EQ(headers.at("x-many"), "1,2");
  EXPECT_EQ(headers.at("host"), "greet.localhost:8080");
  EXPECT_FALSE(headers.contains("cookie"));
  EXPECT_FALSE(headers.contains("connection"));
  EXPECT_EQ(made.at("cookies"), json::parse(R"(["c1=x","c2=\"y z\"","c3=3"])"));
}

TEST_F(EventMapper, TellsTheWayTheRequestCame) {
  request_.headers.add("X-Forwarded-For", "10.9.9.9");
  request_.headers.add("X-Forwarded-Proto", "https");
  auto headers = event().at("headers").as_object();
  EXPECT_EQ(headers.at("x-forwarded-for"), "203.0.113.7") << "a stranger's word counts nothing";
  EXPECT_EQ(headers.at("x-forwarded-proto"), "http");
  EXPECT_EQ(headers.at("x-forwarded-port"), "8080");
  EXPECT_EQ(headers.at("x-amzn-trace-id"), json::string(context_.trace_id));
  EXPECT_FALSE(headers.contains("x-forwarded-prefix"));
  request_.peer.address = "127.0.0.1";
  request_.peer.loopback = true;
  headers = event().at("headers").as_object();
  EXPECT_EQ(headers.at("x-forwarded-for"), "10.9.9.9, 127.0.0.1");
  EXPECT_EQ(headers.at("x-forwarded-proto"), "https");
}

TEST_F(EventMapper, DropsThePrefixOfThePathDoorAndSaysSo) {
  request_.headers.set("Host", "127.0.0.1:8080");
  request_.target = "/fn/My_Fn/a?b=1";
  const auto made = event();
  EXPECT_EQ(made.at("rawPath"), "/a");
  EXPECT_EQ(made.at("requestContext").at("http").at("path"), "/a");
  EXPECT_EQ(made.at("headers").at("x-forwarded-prefix"), "/fn/My_Fn");
  EXPECT_EQ(made.at("requestContext").at("domainName"), "127.0.0.1");
}

TEST_F(EventMapper, KeepsPathsAsSent) {
  request_.target = "/a%2Fb%zz/../c%20d";
  EXPECT_EQ(event().at("rawPath"), "/a%2Fb%zz/../c%20d");
}

TEST_F(EventMapper, StaysValidJsonWhateverBytesCome) {
  request_.target = "/\xC3\xA4\xFF?q=\xFF&%ff=%C3%28&u=%F0%9F%98%80";
  request_.headers.add("X-Latin", "caf\xE9");
  request_.headers.add("X-Utf8", "caf\xC3\xA9");
  request_.headers.add("X-Odd", "tab\there \"quoted\" \\");
  request_.headers.add("Cookie", "a=\xFF");
  request_.headers.set("User-Agent", "\xFE");
  const auto made = event();
  EXPECT_EQ(made.at("rawPath"), "/%C3%A4%FF");
  EXPECT_EQ(made.at("rawQueryString"), "q=%FF&%ff=%C3%28&u=%F0%9F%98%80");
  EXPECT_EQ(made.at("queryStringParameters").at("u"), "\xF0\x9F\x98\x80");
  EXPECT_EQ(made.at("queryStringParameters").at("q"), "\xEF\xBF\xBD");
  EXPECT_EQ(made.at("headers").at("x-latin"), "caf\xC3\xA9");
  EXPECT_EQ(made.at("headers").at("x-utf8"), "caf\xC3\xA9");
  EXPECT_EQ(made.at("headers").at("x-odd"), "tab\there \"quoted\" \\");
}

struct BodyCase {
  const char* type;
  const char* body;
  bool text;
};

TEST_F(EventMapper, SendsTextAsItIsAndTheRestAsBase64) {
  const std::vector<BodyCase> cases = {
      {"application/json", "{\"a\":\"\xC3\xA4\"}", true},
      {"text/plain; charset=utf-8", "hello", true},
      {"TEXT/HTML", "<p>", true},
      {"application/xml", "<a/>", true},
      {"application/javascript", "1", true},
      {"application/problem+json", "{}", true},
      {"image/svg+xml", "<svg/>", true},
      {"application/octet-stream", "hello", false},
      {"multipart/form-data; boundary=x", "--x", false},
      {"application/x-www-form-urlencoded", "a=1", false},
      {"image/png", "\x89PNG", false},
      {"text/plain", "caf\xE9", false},
      {"", "hello", false},
  };
  for (const auto& one : cases) {
    request_.headers.remove("Content-Type");
    if (*one.type != 0) request_.headers.add("Content-Type", one.type);
    const auto made = event(one.body);
    EXPECT_EQ(made.at("isBase64Encoded"), !one.text) << one.type;
    EXPECT_EQ(made.at("body").as_string(), one.text ? one.body : base64_encode(one.body))
        << one.type;
  }
}

TEST_F(EventMapper, NamesTheCallerOfASignedUrl) {
  context_.caller.emplace();
  context_.caller->access_key = "AKIA";
  context_.caller->account = "000000000000";
  context_.caller->user_arn = "arn:aws:iam::000000000000:user/ann";
  context_.caller->user_id = "AIDA";
  const auto made = event();
  const auto& context = made.at("requestContext").as_object();
  EXPECT_EQ(context.at("accountId"), "000000000000");
  EXPECT_EQ(context.at("authorizer"), json::parse(R"({"iam":{"accessKey":"AKIA",
      "accountId":"000000000000","callerId":"AIDA","cognitoIdentity":null,"principalOrgId":null,
      "userArn":"arn:aws:iam::000000000000:user/ann","userId":"AIDA"}})"));
}

}  // namespace
}  // namespace lambda::gateway
