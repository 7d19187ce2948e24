#include "base/moment.h"

#include "base/time_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace lambda {
namespace {

using namespace std::chrono_literals;

std::string moment(std::string_view text) {
  const FakeClock clock;  // 2026-01-02T03:04:05Z
  const auto time = parse_moment(text, clock.now());
  return time ? format_iso(*time) : "wrong";
}

TEST(Moment, HowLongAgo) {
  EXPECT_EQ(moment("5s"), "2026-01-02T03:04:00.000");
  EXPECT_EQ(moment("1h30m"), "2026-01-02T01:34:05.000");
  EXPECT_EQ(moment("2d"), "2025-12-31T03:04:05.000");
  EXPECT_EQ(moment("1w"), "2025-12-26T03:04:05.000");
  EXPECT_EQ(parse_length("90s"), 90s);
  for (const char* wrong :
       {"", "h", "5", "5x", "-5m", "0s", "1h 5m", "99999999999999d", "9000000w"})
    EXPECT_EQ(parse_length(wrong), std::nullopt) << wrong;
}

TEST(Moment, WhenItWas) {
  EXPECT_EQ(moment("2026-01-31"), "2026-01-31T00:00:00.000");
  EXPECT_EQ(moment("2026-01-31T09:30"), "2026-01-31T09:30:00.000");
  EXPECT_EQ(moment("2026-01-31 09:30:01"), "2026-01-31T09:30:01.000");
  EXPECT_EQ(moment("2026-01-31T09:30:01.5Z"), "2026-01-31T09:30:01.500");
  EXPECT_EQ(moment("2026-01-31T09:30:01+01:00"), "2026-01-31T08:30:01.000");
  EXPECT_EQ(moment("2026-01-31T23:30:01-0130"), "2026-02-01T01:00:01.000");
  EXPECT_EQ(moment("1767323045"), "2026-01-02T03:04:05.000");
  EXPECT_EQ(moment("1767323045678"), "2026-01-02T03:04:05.678");
}

TEST(Moment, WhatIsNoTime) {
  for (const char* wrong :
       {"", "yesterday", "2026-02-30", "2026-1-2", "2026-01-02T", "2026-01-02T25:00",
        "2026-01-02T1:00", "2026-01-02T10:00:00X", "2026-01-02T10:00:00+99:00",
        "2026-01-02T10:00:00Zjunk", "12345", "-026-01-02"})
    EXPECT_EQ(moment(wrong), "wrong") << wrong;
}

TEST(Moment, UntilWhen) {
  const FakeClock clock;
  const auto until = [&](std::string_view text) {
    const auto time = parse_until(text, clock.now());
    return time ? format_iso(*time) : time.error().message();
  };
  EXPECT_EQ(until("2w"), "2026-01-16T03:04:05.000");
  EXPECT_EQ(until("1h30m"), "2026-01-02T04:34:05.000");
  EXPECT_EQ(until("2026-01-31"), "2026-01-31T23:59:59.999");
  EXPECT_EQ(until("2026-01-31T09:30:00Z"), "2026-01-31T09:30:00.000");
  for (const char* wrong : {"", "d", "-1d", "0d", "1y", "1.5h", "1dd", "99999999999999999999d",
                            "9999999999d", "tomorrow", "2027-13-01", " 1d"})
    EXPECT_THAT(until(wrong), testing::HasSubstr("90d")) << wrong;
}

}  // namespace
}  // namespace lambda
