#include "observe/metrics/histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace lambda::observe {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(Histogram, HasBoundsFromATenthOfAMillisecondToAQuarterOfAnHour) {
  const auto& bounds = bucket_bounds();
  EXPECT_EQ(bounds.front(), 100us);
  EXPECT_EQ(bounds.back(), 15min);
  EXPECT_TRUE(std::ranges::is_sorted(bounds));
  for (std::size_t i = 1; i + 1 < bounds.size(); ++i) {
    const auto growth =
        static_cast<double>(bounds[i].count()) / static_cast<double>(bounds[i - 1].count());
    EXPECT_NEAR(growth, std::exp2(0.25), 0.01) << i;
  }
  EXPECT_EQ(bounds[kBucketsPerOctave], 200us);
  EXPECT_EQ(bounds[kBucketsPerOctave * 10], 102'400us);
}

TEST(Histogram, PutsAValueThatIsABoundIntoItsBucketAndWhatIsLargerIntoTheNext) {
  EXPECT_EQ(bucket_of(0us), 0U);
  EXPECT_EQ(bucket_of(100us), 0U);
  EXPECT_EQ(bucket_of(101us), 1U);
  EXPECT_EQ(bucket_of(15min), bucket_bounds().size() - 1);
  EXPECT_EQ(bucket_of(16min), bucket_bounds().size());
}

TEST(Histogram, CountsAndSumsUp) {
  Histogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), 0us);
  histogram.add(90us);
  histogram.add(200us);
  histogram.add(190us);
  EXPECT_EQ(histogram.count(), 3U);
  EXPECT_EQ(histogram.sum(), 480us);
  EXPECT_THAT(histogram.cells(), ElementsAre(Pair(0, 1), Pair(4, 2)));
}

TEST(Histogram, AddsUpLikeItsParts) {
  Histogram left, right, both;
  for (int i = 1; i < 500; ++i) {
    const microseconds value(i * i * 7);
    (i % 3 == 0 ? left : right).add(value);
    both.add(value);
  }
  left.add(right);
  EXPECT_EQ(left.cells(), both.cells());
  EXPECT_EQ(left.count(), both.count());
  EXPECT_EQ(left.sum(), both.sum());
}

TEST(Histogram, PassesOverBucketsThatThereAreNot) {
  Histogram histogram;
  histogram.add_to(bucket_bounds().size() + 1, 3, 1s);
  histogram.add_to(2, 0, 1s);
  EXPECT_THAT(histogram.cells(), IsEmpty());
  EXPECT_EQ(histogram.sum(), 0us);
}

TEST(Histogram, KnowsQuantilesToHalfABucket) {
  std::mt19937 random(7);
  std::lognormal_distribution<double> times(9.0, 1.5);  // around 8 ms
  std::vector<double> values;
  Histogram histogram;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(std::clamp(times(random), 150.0, 8e8));
    histogram.add(microseconds(std::llround(values.back())));
  }
  std::ranges::sort(values);
  for (const double part : {0.01, 0.5, 0.9, 0.99}) {
    const auto real = values[static_cast<std::size_t>(part * 20'000)];
    const auto told = static_cast<double>(histogram.quantile(part).count());
    EXPECT_NEAR(told / real, 1.0, 0.1) << part;
  }
}

TEST(Histogram, OfOneValueEveryQuantileIsThat) {
  for (const auto value : {0us, 7us, 100us, 238us, 239us, 283us, 5'000us, 900'000'000us}) {
    Histogram histogram;
    histogram.add(value);
    for (const double part : {0.0, 0.5, 0.9, 0.99, 1.0}) EXPECT_EQ(histogram.quantile(part), value);
  }
}

TEST(Histogram, IsOffByHalfABucketAtMostAtTheEdgesToo) {
  const auto& bounds = bucket_bounds();
  for (std::size_t i = 1; i < bounds.size(); ++i) {
    for (const auto value : {bounds[i - 1] + 1us, bounds[i]}) {
      Histogram histogram;
      for (int n = 0; n < 3; ++n) histogram.add(value);
      for (const double part : {0.0, 0.5, 0.9, 0.99, 1.0}) {
        const auto told = static_cast<double>(histogram.quantile(part).count());
        EXPECT_NEAR(told / static_cast<double>(value.count()), 1.0, 0.1) << value.count();
      }
    }
  }
}

TEST(Histogram, TakesTheValueThatSoManyDoNotExceed) {
  Histogram histogram;
  for (int i = 0; i < 99; ++i) histogram.add(1ms);
  histogram.add(1s);
  EXPECT_NEAR(static_cast<double>(histogram.quantile(0.5).count()), 1e3, 100);
  EXPECT_NEAR(static_cast<double>(histogram.quantile(0.99).count()), 1e3, 100);
  EXPECT_NEAR(static_cast<double>(histogram.quantile(1.0).count()), 1e6, 1e5);
  histogram.add(1s);  // 99 of 101 are not 99 of 100
  EXPECT_NEAR(static_cast<double>(histogram.quantile(0.99).count()), 1e6, 1e5);
}

TEST(Histogram, SaysTheLastBoundOfWhatIsLonger) {
  Histogram histogram;
  histogram.add(20min);
  EXPECT_EQ(histogram.quantile(0.99), 15min);
  histogram.add(20min);
  EXPECT_EQ(histogram.quantile(0.99), 15min);
}

}  // namespace
}  // namespace lambda::observe
