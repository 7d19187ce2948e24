#include "access/failure_limit.h"

#include <gtest/gtest.h>

namespace lambda::access {
namespace {

http::Peer at(std::string address) {
  http::Peer peer;
  peer.address = std::move(address);
  return peer;
}

class Failures : public testing::Test {
 public:
  // How many of `count` were not too many.
  int taken(const std::string& address, int count) {
    int taken = 0;
    for (int i = 0; i < count; ++i) taken += limit_.note(at(address)) ? 1 : 0;
    return taken;
  }
  FakeClock clock_;
  FailureLimit limit_{clock_};
};

TEST_F(Failures, SomeAtOnceThenOneAfterAPause) {
  EXPECT_EQ(taken("192.0.2.1", 100), kFailuresAtOnce);
  EXPECT_EQ(taken("192.0.2.2", 1), 1);
  clock_.advance(kFailurePause - std::chrono::milliseconds(1));
  EXPECT_EQ(taken("192.0.2.1", 1), 0);
  clock_.advance(std::chrono::milliseconds(2));
  EXPECT_EQ(taken("192.0.2.1", 5), 1);
  clock_.advance(kFailurePause * 1000);
  EXPECT_EQ(taken("192.0.2.1", 100), kFailuresAtOnce);
}

TEST_F(Failures, IPv6CountsByTheNetworkOfOneCustomer) {
  EXPECT_EQ(taken("2001:db8:1:2::1", kFailuresAtOnce), kFailuresAtOnce);
  EXPECT_EQ(taken("2001:db8:1:2:ffff::9", 1), 0);
  EXPECT_EQ(taken("2001:db8:1:3::1", 1), 1);
  EXPECT_EQ(network_of("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(network_of("fe80::1%eth0"), "fe80::/64");
  EXPECT_EQ(network_of("::1"), "::1");
  EXPECT_EQ(network_of("192.0.2.1"), "192.0.2.1");
}

TEST_F(Failures, MemoryIsBoundedAndTheNewestAreKept) {
  EXPECT_EQ(taken("192.0.2.1", kFailuresAtOnce), kFailuresAtOnce);
  for (int i = 0; i < 30'000; ++i) {
    const auto address = "10." + std::to_string(i / 65536) + "." + std::to_string(i / 256 % 256) +
                         "." + std::to_string(i % 256);
    EXPECT_TRUE(limit_.note(at(address)));
    if (i % 100 == 0) {
      EXPECT_EQ(taken("192.0.2.1", 1), 0);
    }
  }
  EXPECT_EQ(limit_.addresses(), FailureLimit::kMostAddresses);
}

TEST_F(Failures, TheSocketIsNotCounted) {
  http::Peer peer;
  peer.unix_uid = 1000;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(limit_.note(peer));
  EXPECT_EQ(limit_.addresses(), 0u);
}

}  // namespace
}  // namespace lambda::access
