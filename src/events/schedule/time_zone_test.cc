// Time zones against the C library's own reading of the same database.
#include "events/schedule/time_zone.h"

#include "events/schedule/zone_fixture.h"
#include "events/schedule/zone_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <random>
#include <string>

namespace lambda::events {
namespace {

using namespace std::chrono;
using ::testing::HasSubstr;

// Lets the C library see another zone for a while. Of one thread.
class ClockOfTheCLibrary {
 public:
  explicit ClockOfTheCLibrary(const std::string& name) {
    ::setenv("TZ", (":" + name).c_str(), 1);
    ::tzset();
  }
  ~ClockOfTheCLibrary() {
    ::unsetenv("TZ");
    ::tzset();
  }
  ClockOfTheCLibrary(const ClockOfTheCLibrary&) = delete;
  ClockOfTheCLibrary& operator=(const ClockOfTheCLibrary&) = delete;

  [[nodiscard]] seconds offset(sys_seconds time) const {
    const std::time_t moment = time.time_since_epoch().count();
    std::tm local{};
    ::localtime_r(&moment, &local);
    return seconds(local.tm_gmtoff);
  }
};

constexpr const char* kZones[] = {
    "Europe/Berlin",     "America/New_York",  "Australia/Lord_Howe", "Asia/Kathmandu",
    "Pacific/Apia",      "America/Sao_Paulo", "Africa/Cairo",        "Europe/Dublin",
    "America/Nuuk",      "Asia/Gaza",         "Africa/Casablanca",   "Pacific/Auckland",
    "America/St_Johns",  "Asia/Tehran",       "Antarctica/Troll",    "Asia/Jerusalem",
    "America/Santiago",  "Pacific/Chatham",   "Europe/Moscow",       "America/Havana",
    "Pacific/Kwajalein", "Africa/Monrovia",   "Etc/GMT-14",          "UTC",
    "Pacific/Norfolk",   "Asia/Manila",       "America/Asuncion",    "Asia/Beirut"};

TEST(TimeZone, AgreesWithTheCLibraryUntil2200) {
  std::mt19937 random(20260102);
  const auto first = sys_days(year(1902) / 1 / 1).time_since_epoch() / seconds(1);
  const auto last = sys_days(year(2200) / 1 / 1).time_since_epoch() / seconds(1);
  std::uniform_int_distribution<std::int64_t> moments(first, last);
  for (const auto* name : kZones) {
    const auto ours = zone(name);
    const ClockOfTheCLibrary theirs(name);
    for (int round = 0; round < 3000; ++round) {
      const sys_seconds time{seconds(moments(random))};
      ASSERT_EQ(ours.period(time).offset, theirs.offset(time))
          << name << " at " << time.time_since_epoch().count();
    }
  }
}

TEST(TimeZone, PeriodsFollowOneAnotherAndChangeWhereTheClockDoes) {
  for (const auto* name : kZones) {
    const auto ours = zone(name);
    const ClockOfTheCLibrary theirs(name);
    auto time = sys_seconds(sys_days(year(1950) / 1 / 1));
    while (time < sys_days(year(2150) / 1 / 1)) {
      const auto period = ours.period(time);
      ASSERT_LE(period.begin, time) << name;
      ASSERT_GT(period.end, time) << name;
      const auto last_second =
          std::min(period.end, sys_seconds(sys_days(year(2400) / 1 / 1))) - seconds(1);
      ASSERT_EQ(ours.period(last_second).begin, period.begin) << name;
      ASSERT_EQ(theirs.offset(last_second), period.offset) << name;
      time = period.end;
    }
  }
}

TEST(TimeZone, IsUtcWithoutAName) {
  EXPECT_EQ(TimeZone().name(), "UTC");
  EXPECT_EQ(TimeZone().period(sys_seconds()).offset, seconds(0));
  EXPECT_EQ(zone("UTC").name(), "UTC");
  EXPECT_EQ(zone("Europe/Berlin").name(), "Europe/Berlin");
}

std::string zone_complaint(const std::string& name) {
  const auto found = TimeZone::find(name);
  if (found) return "(found)";
  EXPECT_EQ(found.error().code(), ErrorCode::invalid);
  return found.error().message();
}

TEST(TimeZone, NamesTheNearestOfAnUnknownOne) {
  EXPECT_THAT(zone_complaint("Europe/Berln"), HasSubstr("did you mean \"Europe/Berlin\"?"));
  EXPECT_THAT(zone_complaint("europe/berlin"), HasSubstr("did you mean \"Europe/Berlin\"?"));
  EXPECT_THAT(zone_complaint("New York"), HasSubstr("did you mean \"America/New_York\"?"));
  EXPECT_THAT(zone_complaint("berlin"), HasSubstr("did you mean \"Europe/Berlin\"?"));
  EXPECT_THAT(zone_complaint("UTC+2"), HasSubstr("did you mean \"Etc/GMT-2\"?"));
  EXPECT_THAT(zone_complaint("-05:00"), HasSubstr("did you mean \"Etc/GMT+5\"?"));
  EXPECT_THAT(zone_complaint(""), HasSubstr("such as Europe/Berlin"));
  EXPECT_THAT(zone_complaint("Mars/Olympus"), HasSubstr("such as Europe/Berlin"));
  EXPECT_THAT(zone_complaint("../../etc/passwd"), HasSubstr("there is no time zone"));
  EXPECT_THAT(zone_complaint("localtime"), HasSubstr("there is no time zone"));
  EXPECT_THAT(zone_complaint("right/UTC"), HasSubstr("there is no time zone"));
  EXPECT_THAT(zone_complaint(std::string(10000, 'x')), HasSubstr("too long"));
}

TEST(LikelyZone, IsFoundByItsCityOrItsOffset) {
  const std::vector<std::string> names = {"America/Sao_Paulo", "Asia/Tokyo", "UTC"};
  EXPECT_EQ(likely_zone("tokyo", names), "Asia/Tokyo");
  EXPECT_EQ(likely_zone("sao paulo", names), "America/Sao_Paulo");
  EXPECT_EQ(likely_zone("Tokio", names), "Asia/Tokyo");
  EXPECT_EQ(likely_zone("America/Tokyo", names), "Asia/Tokyo");
  EXPECT_EQ(likely_zone("GMT-3", names), "Etc/GMT+3");
  EXPECT_EQ(likely_zone("UTC+0", names), "Etc/GMT+0");
  EXPECT_EQ(likely_zone("utc", names), "UTC");
  EXPECT_EQ(likely_zone("UTC+15", names), "");
  EXPECT_EQ(likely_zone("", names), "");
}

}  // namespace
}  // namespace lambda::events
