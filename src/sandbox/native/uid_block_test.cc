#include "sandbox/native/uid_block.h"

#include "base/temporary_directory.h"

#include <gtest/gtest.h>

#include <filesystem>

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

class UidClaims : public testing::Test {
 protected:
  [[nodiscard]] Result<UidClaim> claim(uid_t wanted, uid_t blocks = kUidBlocks) const {
    return claim_uid_block(directory_.string(), wanted, blocks);
  }

  TemporaryDirectory temporary_;
  std::filesystem::path parent_ = temporary_.path();
  std::filesystem::path directory_ = parent_ / "uids";
};

TEST_F(UidClaims, TwoThatWantTheSameBlockGetTwo) {
  const auto one = claim(7);
  ASSERT_TRUE(one) << one.error().message();
  EXPECT_EQ(one->first, kFirstUid + 7 * kUidBlock);
  const auto other = claim(7);
  ASSERT_TRUE(other) << other.error().message();
  EXPECT_EQ(other->first, kFirstUid + 8 * kUidBlock);
}

TEST_F(UidClaims, ABlockWhoseOwnerEndedIsFree) {
  for (int round = 0; round < 2; ++round) {
    const auto claimed = claim(3);
    ASSERT_TRUE(claimed);
    EXPECT_EQ(claimed->first, kFirstUid + 3 * kUidBlock);
  }
}

TEST_F(UidClaims, TheLastIsFollowedByTheFirstAndThereIsAnEnd) {
  const auto last = claim(2, 3);
  const auto first = claim(2, 3);
  const auto second = claim(2, 3);
  ASSERT_TRUE(last && first && second);
  EXPECT_EQ(first->first, kFirstUid);
  EXPECT_EQ(second->first, kFirstUid + kUidBlock);
  const auto none = claim(2, 3);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), ErrorCode::conflict);
}

TEST_F(UidClaims, ADirectoryThatOthersMayUseIsRefused) {
  std::filesystem::create_directory(directory_);
  std::filesystem::permissions(directory_, std::filesystem::perms(0770));
  EXPECT_FALSE(claim(0));
  std::filesystem::remove(directory_);
  const auto elsewhere = parent_ / "elsewhere";
  std::filesystem::create_directory(elsewhere);
  std::filesystem::permissions(elsewhere, std::filesystem::perms(0700));
  std::filesystem::create_directory_symlink(elsewhere, directory_);
  EXPECT_FALSE(claim(0));
}

}  // namespace
}  // namespace lambda::sandbox::native
