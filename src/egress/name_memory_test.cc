#include "egress/name_memory.h"

#include <gtest/gtest.h>

namespace lambda::egress {
namespace {

using namespace std::chrono_literals;

const Addresses kOne = {boost::asio::ip::make_address("1.2.3.4")};
const SteadyTime kStart{1000s};

Result<Addresses> failure() {
  return fail(ErrorCode::unavailable, "no such name");
}

TEST(NameMemory, WhatTheLastLookUpCameToCounts) {
  NameMemory memory;
  EXPECT_EQ(memory.standing("a"), Standing::fresh);
  memory.note("a", kOne, 10ms, kStart);
  EXPECT_EQ(memory.standing("a"), Standing::good);
  memory.note("a", failure(), 10ms, kStart);
  EXPECT_EQ(memory.standing("a"), Standing::bad);
  EXPECT_EQ(memory.addresses("a", kStart), std::nullopt);
  memory.note("a", kOne, NameMemory::kQuick, kStart);
  EXPECT_EQ(memory.standing("a"), Standing::bad) << "it took long";
  EXPECT_EQ(memory.addresses("a", kStart), kOne);
}

TEST(NameMemory, AddressesAreKnownForAMinuteOrUntilTheyAreForgotten) {
  NameMemory memory;
  memory.note("a", kOne, 10ms, kStart);
  EXPECT_EQ(memory.addresses("a", kStart + 59s), kOne);
  EXPECT_EQ(memory.addresses("a", kStart + 60s), std::nullopt);
  memory.forget_addresses("a");
  memory.forget_addresses("unknown");
  EXPECT_EQ(memory.addresses("a", kStart), std::nullopt);
  EXPECT_EQ(memory.standing("a"), Standing::good);
}

TEST(NameMemory, HoldsSoManyNamesAndForgetsTheOldest) {
  NameMemory memory;
  memory.note("old", kOne, 10ms, kStart);
  memory.note("renewed", kOne, 10ms, kStart);
  memory.note("renewed", kOne, 10ms, kStart + 2s);
  for (std::size_t i = 0; memory.size() < NameMemory::kMostNames; ++i)
    memory.note("name" + std::to_string(i), failure(), 10ms, kStart + 1s);
  EXPECT_EQ(memory.standing("old"), Standing::good);
  memory.note("one more", kOne, 10ms, kStart + 3s);
  EXPECT_EQ(memory.size(), NameMemory::kMostNames);
  EXPECT_EQ(memory.standing("old"), Standing::fresh);
  EXPECT_EQ(memory.standing("renewed"), Standing::good);
}

TEST(NameMemory, HoldsNoLongListsOfAddresses) {
  NameMemory memory;
  memory.note("a", Addresses(NameMemory::kMostAddresses, kOne.front()), 10ms, kStart);
  memory.note("b", Addresses(NameMemory::kMostAddresses + 1, kOne.front()), 10ms, kStart);
  EXPECT_NE(memory.addresses("a", kStart), std::nullopt);
  EXPECT_EQ(memory.addresses("b", kStart), std::nullopt);
  EXPECT_EQ(memory.standing("b"), Standing::good);
}

}  // namespace
}  // namespace lambda::egress
