#include "egress/address_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda::egress {
namespace {

using ::testing::HasSubstr;

Address at(const std::string& text) {
  return boost::asio::ip::make_address(text);
}

AddressRules allowing(const std::vector<std::string>& networks) {
  std::vector<Network> parsed;
  for (const auto& text : networks) parsed.push_back(*Network::parse(text));
  return AddressRules(std::move(parsed));
}

struct Case {
  const char* address;
  const char* is;  // "": nothing speaks against it
};

class AddressRulesCases : public testing::TestWithParam<Case> {};

TEST_P(AddressRulesCases, AreWhatTheyAre) {
  const auto& [address, is] = GetParam();
  EXPECT_EQ(AddressRules().refusal(at(address)).value_or(""), is) << address;
}

INSTANTIATE_TEST_SUITE_P(
    Public, AddressRulesCases,
    testing::Values(Case{"1.1.1.1", ""}, Case{"9.255.255.255", ""}, Case{"11.0.0.0", ""},
                    Case{"100.63.255.255", ""}, Case{"100.128.0.0", ""},
                    Case{"126.255.255.255", ""}, Case{"128.0.0.0", ""}, Case{"169.253.255.255", ""},
                    Case{"169.255.0.0", ""}, Case{"168.63.129.15", ""}, Case{"168.63.129.17", ""},
                    Case{"172.15.255.255", ""}, Case{"172.32.0.0", ""}, Case{"192.0.1.0", ""},
                    Case{"192.167.255.255", ""}, Case{"192.169.0.0", ""},
                    Case{"198.17.255.255", ""}, Case{"198.20.0.0", ""}, Case{"223.255.255.255", ""},
                    Case{"2000::", ""}, Case{"2001:200::1", ""}, Case{"2606:4700:4700::1111", ""},
                    Case{"2001:db9::1", ""}, Case{"2003::1", ""}, Case{"3ffe::1", ""},
                    Case{"3fff:1000::", ""}, Case{"::ffff:1.1.1.1", ""},
                    Case{"64:ff9b::1.1.1.1", ""}));

INSTANTIATE_TEST_SUITE_P(Loopback, AddressRulesCases,
                         testing::Values(Case{"127.0.0.0", "a loopback address"},
                                         Case{"127.0.0.1", "a loopback address"},
                                         Case{"127.1.2.3", "a loopback address"},
                                         Case{"127.255.255.255", "a loopback address"},
                                         Case{"::1", "a loopback address"},
                                         Case{"::1%1", "a loopback address"},
                                         Case{"::ffff:127.0.0.1", "a loopback address"},
                                         Case{"64:ff9b::127.0.0.1", "a loopback address"}));

INSTANTIATE_TEST_SUITE_P(
    Internal, AddressRulesCases,
    testing::Values(
        Case{"10.0.0.0", "a private address"}, Case{"10.255.255.255", "a private address"},
        Case{"172.16.0.0", "a private address"}, Case{"172.31.255.255", "a private address"},
        Case{"192.168.0.0", "a private address"}, Case{"192.168.255.255", "a private address"},
        Case{"::ffff:10.0.0.1", "a private address"},
        Case{"64:ff9b::192.168.0.1", "a private address"}, Case{"fc00::", "a private address"},
        Case{"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "a private address"},
        Case{"100.64.0.0", "an address of a carrier's own network"},
        Case{"100.127.255.255", "an address of a carrier's own network"},
        Case{"169.254.0.0", "a link-local address"},
        Case{"169.254.255.255", "a link-local address"}, Case{"fe80::1", "a link-local address"},
        Case{"fe80::1%2", "a link-local address"}, Case{"febf::1", "a link-local address"},
        Case{"fec0::1", "a site-local address"}, Case{"feff::1", "a site-local address"}));

INSTANTIATE_TEST_SUITE_P(Metadata, AddressRulesCases,
                         testing::Values(Case{"169.254.169.254", "a metadata address"},
                                         Case{"::ffff:169.254.169.254", "a metadata address"},
                                         Case{"64:ff9b::169.254.169.254", "a metadata address"},
                                         Case{"100.100.100.200", "a metadata address"},
                                         Case{"168.63.129.16", "a metadata address"},
                                         Case{"192.0.0.192", "a metadata address"},
                                         Case{"fd00:ec2::254", "a metadata address"},
                                         Case{"fd20:ce::254", "a metadata address"}));

INSTANTIATE_TEST_SUITE_P(
    NowhereToSendTo, AddressRulesCases,
    testing::Values(
        Case{"0.0.0.0", "an unspecified address"}, Case{"0.1.2.3", "an unspecified address"},
        Case{"::", "an unspecified address"}, Case{"::ffff:0.0.0.0", "an unspecified address"},
        Case{"224.0.0.1", "a multicast address"}, Case{"239.255.255.255", "a multicast address"},
        Case{"ff02::1", "a multicast address"}, Case{"192.0.0.1", "a reserved address"},
        Case{"192.88.99.1", "a reserved address"}, Case{"198.18.0.1", "a reserved address"},
        Case{"198.19.255.255", "a reserved address"}, Case{"240.0.0.1", "a reserved address"},
        Case{"255.255.255.255", "a reserved address"},
        Case{"192.0.2.1", "an address for documentation"},
        Case{"198.51.100.1", "an address for documentation"},
        Case{"203.0.113.1", "an address for documentation"},
        Case{"2001:db8::1", "an address for documentation"},
        Case{"3fff::1", "an address for documentation"},
        // IPv4 inside: compatible, translated, 6to4, Teredo, NAT64's local prefix.
        Case{"::127.0.0.1", "a reserved address"}, Case{"::8.8.8.8", "a reserved address"},
        Case{"::ffff:0:127.0.0.1", "a reserved address"},
        Case{"2002:7f00:1::", "an address of 6to4"}, Case{"2002:808:808::", "an address of 6to4"},
        Case{"2001::1", "a reserved address"}, Case{"2001:10::1", "a reserved address"},
        Case{"2001:1ff::1", "a reserved address"}, Case{"64:ff9b:1::1", "a reserved address"},
        Case{"100::1", "a reserved address"}, Case{"1fff::1", "a reserved address"},
        Case{"4000::1", "a reserved address"}, Case{"5f00::1", "a reserved address"}));

TEST(AddressRules, TheMachinesOwnAddressesAreRefusedHoweverTheyAreWritten) {
  const std::vector<Address> own = {at("8.8.8.8"), at("2606:4700::1")};
  const AddressRules rules;
  EXPECT_EQ(rules.refusal(at("8.8.8.8"), own).value_or(""), "an address of this machine");
  EXPECT_EQ(rules.refusal(at("::ffff:8.8.8.8"), own).value_or(""), "an address of this machine");
  EXPECT_EQ(rules.refusal(at("2606:4700::1"), own).value_or(""), "an address of this machine");
  EXPECT_EQ(rules.refusal(at("2606:4700::1%1"), own).value_or(""), "an address of this machine");
  EXPECT_EQ(rules.refusal(at("fe80::1%1")).value_or(""), "a link-local address");
  EXPECT_FALSE(rules.refusal(at("8.8.8.9"), own));
}

TEST(AddressRules, ANetworkThatIsNamedIsAllowedAndNoOther) {
  const auto rules = allowing({"127.0.0.0/8", "10.1.0.0/16", "fd00:1::/32", "192.168.7.9"});
  for (const char* good : {"127.0.0.1", "::ffff:127.0.0.1", "10.1.0.0", "10.1.255.255",
                           "fd00:1:ffff::1", "192.168.7.9"}) {
    EXPECT_FALSE(rules.refusal(at(good), {at("127.0.0.1")})) << good;
  }
  for (const char* bad : {"10.0.255.255", "10.2.0.0", "fd00:2::1", "192.168.7.8", "192.168.7.10",
                          "::1", "169.254.169.254"}) {
    EXPECT_TRUE(rules.refusal(at(bad))) << bad;
  }
}

TEST(Network, WhatIsNoneIsRefusedWithWhatWouldBe) {
  for (const char* text : {"", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "example.org", "10.0.0.0/",
                           "10.0.0.0/8/8", "/8", "127.1"}) {
    const auto parsed = Network::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().message(), HasSubstr("10.1.0.0/16")) << text;
  }
  const auto host_bits = Network::parse("10.1.2.3/8");
  ASSERT_FALSE(host_bits);
  EXPECT_THAT(host_bits.error().message(), HasSubstr("write 10.0.0.0/8"));
}

TEST(AddressRules, TheErrorSaysWhichAddressAndWhatMayBeDone) {
  const Purpose purpose{"webhooks go", "webhook_networks"};
  const auto error =
      address_refused(purpose, "hooks.example.org", at("10.0.0.7"), "a private address");
  EXPECT_EQ(error.code(), ErrorCode::denied);
  EXPECT_THAT(error.message(), HasSubstr("hooks.example.org is 10.0.0.7, a private address"));
  EXPECT_THAT(error.message(), HasSubstr("webhook_networks"));
  EXPECT_THAT(address_refused(purpose, "10.0.0.7", at("10.0.0.7"), "a private address").message(),
              ::testing::StartsWith("10.0.0.7, a private address"));
}

}  // namespace
}  // namespace lambda::egress
