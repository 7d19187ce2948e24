#include "sandbox/native/stem_demand.h"

#include <gtest/gtest.h>

namespace lambda::sandbox::native {
namespace {

using namespace std::chrono_literals;

constexpr StemDemand::Time kStart{1000h};

StemLimits limits_of(std::size_t most) {
  StemLimits limits;
  limits.most = most;
  return limits;
}

TEST(StemDemand, NobodyAskedSoNoneIsWanted) {
  EXPECT_EQ(StemDemand().wanted(limits_of(8), kStart), 0u);
  // Also on a machine that has just booted.
  EXPECT_EQ(StemDemand().wanted(limits_of(8), StemDemand::Time{1s}), 0u);
}

TEST(StemDemand, AKindThatIsInUseHasTheLeast) {
  StemDemand demand;
  demand.expect(kStart);
  EXPECT_EQ(demand.wanted(limits_of(8), kStart), 2u);
  EXPECT_EQ(demand.wanted(limits_of(8), kStart + 600s), 2u);
  EXPECT_EQ(demand.wanted(limits_of(8), kStart + 601s), 0u);
}

TEST(StemDemand, FollowsTheLastTenSecondsUpToTheMost) {
  StemDemand demand;
  for (int i = 0; i < 5; ++i) demand.note(kStart + i * 1s);
  EXPECT_EQ(demand.wanted(limits_of(8), kStart + 4s), 5u);
  // Those of the first three seconds are too long ago.
  EXPECT_EQ(demand.wanted(limits_of(8), kStart + 12s), 2u);
  EXPECT_EQ(demand.wanted(limits_of(3), kStart + 4s), 3u);
}

TEST(StemDemand, ASecondOfAnotherRoundIsNotCounted) {
  StemDemand demand;
  for (int i = 0; i < 6; ++i) demand.note(kStart);
  for (int i = 0; i < 4; ++i) demand.note(kStart + 10s);
  EXPECT_EQ(demand.wanted(limits_of(8), kStart + 10s), 4u);
}

TEST(StemDemand, TheMostMayBeLessThanTheLeast) {
  StemDemand demand;
  demand.note(kStart);
  EXPECT_EQ(demand.wanted(limits_of(1), kStart), 1u);
  EXPECT_EQ(demand.wanted(limits_of(0), kStart), 0u);
}

}  // namespace
}  // namespace lambda::sandbox::native
