#include "sandbox/native/uid_block.h"

#include <gtest/gtest.h>

namespace lambda::sandbox::native {
namespace {

TEST(UidBlock, NoTwoLivingOnesAreTheSame) {
  UidBlock block(1'900'000'000, 4);
  std::set<uid_t> seen;
  for (int i = 0; i < 4; ++i) seen.insert(block.take().value());
  EXPECT_EQ(seen, (std::set<uid_t>{1'900'000'000, 1'900'000'001, 1'900'000'002, 1'900'000'003}));
  EXPECT_FALSE(block.take());
}

TEST(UidBlock, OneThatLivesLongIsPassedOver) {
  UidBlock block(100, 3);
  const auto lasting = block.take();
  ASSERT_EQ(lasting, 100u);
  for (int round = 0; round < 10; ++round) {
    const auto uid = block.take();
    ASSERT_TRUE(uid);
    EXPECT_NE(uid, lasting);
    block.give_back(*uid);
  }
}

TEST(UidBlock, OneThatEndedComesAgainLast) {
  UidBlock block(100, 3);
  block.give_back(block.take().value());
  EXPECT_EQ(block.take(), 101u);
  EXPECT_EQ(block.take(), 102u);
  EXPECT_EQ(block.take(), 100u);
}

}  // namespace
}  // namespace lambda::sandbox::native
