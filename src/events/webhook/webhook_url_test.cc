#include "events/webhook/webhook_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda::events {
namespace {

using ::testing::HasSubstr;

TEST(WebhookUrl, IsTakenApart) {
  const auto url =
      parse_webhook_url("https://hooks.example.org:8443/in?for=a#part", egress::AddressRules());
  ASSERT_TRUE(url) << url.error().message();
  EXPECT_EQ(url->endpoint.host, "hooks.example.org");
  EXPECT_EQ(url->endpoint.port, 8443);
  EXPECT_TRUE(url->endpoint.tls);
  EXPECT_EQ(url->host_header, "hooks.example.org:8443");
  EXPECT_EQ(url->path, "/in?for=a");
}

TEST(WebhookUrl, PublicAddressesAndNamesAreFine) {
  for (const char* good : {"http://1.1.1.1/", "http://[2606:4700::1]:81/x", "https://a-b_c.d.org.",
                           "http://xn--bcher-kva.example/", "http://9gag.com",
                           "http://1.2.3.4a.org", "http://notlocalhost/"}) {
    const auto url = parse_webhook_url(good, egress::AddressRules());
    EXPECT_TRUE(url) << good << ": " << (url ? "" : url.error().message());
  }
}

struct Wrong {
  const char* url;
  const char* says;
};

class WrongUrl : public testing::TestWithParam<Wrong> {};

TEST_P(WrongUrl, IsRefusedWithTheReason) {
  const auto url = parse_webhook_url(GetParam().url, egress::AddressRules());
  ASSERT_FALSE(url) << GetParam().url;
  EXPECT_EQ(url.error().code(), ErrorCode::invalid);
  EXPECT_THAT(url.error().message(), HasSubstr(GetParam().says)) << GetParam().url;
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongUrl,
    testing::Values(
        Wrong{"http://", "names no host"}, Wrong{"https:///path", "names no host"},
        Wrong{"http://:80/", "names no host"}, Wrong{"ftp://a.org/", "http://"},
        Wrong{"unix:/run/x.sock", "http://"}, Wrong{"http://a.org:0/", "not a port"},
        Wrong{"http://a.org:99999/", "not a port"}, Wrong{"http://a.org:x/", "not a port"},
        Wrong{"http://ann@a.org/", "user name"}, Wrong{"http://ann:pw@10.0.0.1/", "user name"},
        Wrong{"http://a.org\\@10.0.0.1/", "backslash"}, Wrong{"http://a b.org/", "space"},
        Wrong{"http://a.org/\r\nX: y", "space"}, Wrong{"http://b\xc3\xbc.org/", "ASCII"},
        Wrong{"http://a..org/", "not a host"}, Wrong{"http://.a.org/", "not a host"},
        Wrong{"http://a%2eorg/", "not a host"}, Wrong{"http://[::1/", "not closed"},
        Wrong{"http://127.0.0.1/", "a loopback address"},
        Wrong{"http://localhost:8080/", "a loopback address"},
        Wrong{"http://LOCALHOST./", "a loopback address"},
        Wrong{"http://x.localhost/", "a loopback address"},
        Wrong{"http://[::1]/", "a loopback address"},
        Wrong{"http://[::ffff:7f00:1]/", "a loopback address"},
        Wrong{"http://10.1.2.3/", "a private address"},
        Wrong{"http://169.254.169.254/latest/meta-data/", "a metadata address"},
        Wrong{"http://[fe80::1%25eth0]/", ""}, Wrong{"http://[fd00::1]/", "a private address"},
        Wrong{"http://2130706433/", "four numbers"}, Wrong{"http://0x7f000001/", "four numbers"},
        Wrong{"http://0x7f.1/", "four numbers"}, Wrong{"http://127.1/", "four numbers"},
        Wrong{"http://0177.0.0.1/", ""}, Wrong{"http://127.0.0.1./", "four numbers"}));

TEST(WebhookUrl, ALongOneIsRefused) {
  EXPECT_FALSE(
      parse_webhook_url("http://a.org/" + std::string(2'048, 'x'), egress::AddressRules()));
}

TEST(WebhookUrl, NamedNetworksAllowLoopbackByNameToo) {
  const egress::AddressRules rules({*egress::Network::parse("127.0.0.0/8")});
  EXPECT_TRUE(parse_webhook_url("http://127.0.0.1:9000/", rules));
  EXPECT_TRUE(parse_webhook_url("http://x.localhost:9000/", rules));
  EXPECT_FALSE(parse_webhook_url("http://10.0.0.1/", rules));
}

TEST(WebhookUrl, TheErrorOfAUserNameDoesNotRepeatThePassword) {
  const auto url = parse_webhook_url("http://ann:hunter2@a.org/", egress::AddressRules());
  ASSERT_FALSE(url);
  EXPECT_THAT(url.error().message(), ::testing::Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace lambda::events
