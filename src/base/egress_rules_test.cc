#include "base/egress_rules.h"

#include <gtest/gtest.h>
#include <spdlog/fmt/ranges.h>

namespace lambda {
namespace {

bool is_forbidden(std::string_view text) {
  const auto address = NetworkPrefix::parse(text).value();
  for (const auto& [network, is] : forbidden_networks())
    if (network.contains(address)) return true;
  return false;
}

std::string refused_egress(std::string_view text) {
  const auto rule = parse_egress(text);
  return rule ? "accepted as " + to_string(*rule) : rule.error().message();
}

TEST(EgressRules, OneTextForWhatMeansTheSame) {
  for (const auto& [written, text] : std::initializer_list<std::pair<const char*, const char*>>{
           {"none", "none"},
           {" internet ", "internet"},
           {"10.1.0.0/16", "10.1.0.0/16"},
           {"10.1.0.0/16, 2001:DB8:0::/32,10.1.0.0/16", "10.1.0.0/16,2001:db8::/32"},
           {"192.168.7.9", "192.168.7.9/32"},
           {"0.0.0.0/0,::/0", "0.0.0.0/0,::/0"}}) {
    const auto rule = parse_egress(written);
    ASSERT_TRUE(rule) << rule.error().message();
    EXPECT_EQ(to_string(*rule), text);
    EXPECT_EQ(parse_egress(text).value(), *rule);
  }
  EXPECT_FALSE(parse_egress("none")->out);
  EXPECT_TRUE(parse_egress("internet")->out);
}

TEST(EgressRules, SaysWhatIsWrong) {
  EXPECT_NE(refused_egress("").find("names nothing"), std::string::npos);
  EXPECT_NE(refused_egress("intranet").find("neither none, nor internet"), std::string::npos);
  EXPECT_NE(refused_egress("10.1.0.0/16,internet").find("stands alone"), std::string::npos);
  EXPECT_NE(refused_egress("10.1.2.3/16").find("write 10.1.0.0/16, or 10.1.2.3/32"),
            std::string::npos);
  EXPECT_NE(refused_egress("fd00:1::1/64").find("write fd00:1::/64"), std::string::npos);
  for (const char* text : {"10.1.0.0/33", "10.1.0/16", "2001:db8::/129", "10.1.0.0/", "10.1.0.0/-1",
                           "10.1.0.0/8x", "1.2.3.4:80", "2001:db8::/32,"})
    EXPECT_NE(refused_egress(text).find("no"), std::string::npos) << text;
  for (const char* text :
       {"127.0.0.1", "169.254.169.254", "::1", "fe80::/10", "::ffff:10.0.0.0/104", "198.19.0.0/16",
        "fd00:ec2::254", "64:ff9b::7f00:1", "224.0.0.1", "255.255.255.255"})
    EXPECT_NE(refused_egress(text).find("no function reaches"), std::string::npos) << text;
}

TEST(EgressRules, AsManyNetworksAsFit) {
  std::vector<std::string> many;
  for (std::size_t i = 0; i < kMostNetworks; ++i) many.push_back(fmt::format("10.{}.0.0/16", i));
  const auto text = fmt::format("{}", fmt::join(many, ","));
  EXPECT_TRUE(parse_egress(text + ",10.0.0.0/16"));
  EXPECT_NE(refused_egress(text + ",10.99.0.0/16").find("33 networks are more"), std::string::npos);
}

TEST(EgressRules, WhatAPrefixHolds) {
  const auto network = NetworkPrefix::parse("10.1.128.0/17").value();
  EXPECT_TRUE(network.contains(NetworkPrefix::parse("10.1.128.1").value()));
  EXPECT_TRUE(network.contains(NetworkPrefix::parse("10.1.192.0/18").value()));
  EXPECT_FALSE(network.contains(NetworkPrefix::parse("10.1.0.1").value()));
  EXPECT_FALSE(network.contains(NetworkPrefix::parse("10.0.0.0/8").value()));
  EXPECT_FALSE(network.contains(NetworkPrefix::parse("a01:8000::/17").value()));
}

TEST(EgressRules, TheForbiddenInEveryForm) {
  for (const char* text : {"127.1.2.3", "169.254.169.254", "64:ff9b::169.254.169.254",
                           "::ffff:8.8.8.8", "fe80::1", "198.18.0.2", "fd00::2", "0.0.0.0"})
    EXPECT_TRUE(is_forbidden(text)) << text;
  for (const char* text : {"8.8.8.8", "10.0.0.1", "64:ff9b::8.8.8.8", "2001:db8::1", "fd00:1::1"})
    EXPECT_FALSE(is_forbidden(text)) << text;
}

}  // namespace
}  // namespace lambda
