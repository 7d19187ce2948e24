#include "cli/stats_text.h"

#include "base/encoding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

namespace json = boost::json;

json::object window(double calls, double p50) {
  return {{"invocations", calls}, {"perSecond", calls / 60}, {"errors", 1},
          {"throttles", 0},       {"coldStarts", 1},         {"p50", p50},
          {"p90", p50 * 2},       {"p99", p50 * 3}};
}

json::object function(const char* name, double calls, double late) {
  json::array seconds(60);
  for (auto& second : seconds) second = 0;
  seconds[59] = late;
  json::object made{{"name", name},
                    {"invocations", calls},
                    {"errorCount", 2},
                    {"errors", {{"timeout", 2}}},
                    {"throttleCount", 0},
                    {"throttles", json::object()},
                    {"coldStarts", 3},
                    {"memory", 40'000'000},
                    {"memoryPeak", 50'000'000},
                    {"inFlight", 1},
                    {"waiting", 0}};
  made["duration"] = {{"p50", 7.0}, {"p90", 8.0}, {"p99", 9.0}};
  made["init"] = {{"p50", 80.0}, {"p99", 90.0}};
  made["lastMinute"] = window(late, 1.5);
  made["lastFiveMinutes"] = window(late, 1.5);
  made["lastHour"] = window(late, 1.5);
  made["seconds"] = {{"invocations", seconds}, {"errors", seconds}};
  made["minutes"] = {{"invocations", seconds}, {"errors", seconds}, {"p99", seconds}};
  made["instances"] = {{"starting", 0}, {"idle", 2}, {"busy", 1}, {"ending", 0}};
  made["queue"] = {{"waiting", 4}, {"running", 0}, {"dead", 0}};
  made["versions"] = json::array();
  made["httpCodes"] = {{"200", 12}, {"404", 1}, {"500", 2}, {"502", 3}, {"5xx", 4}};
  return made;
}

json::object server_with(json::array functions) {
  json::object made;
  made["uptime"] = 4000;
  made["server"] = function("", 1234, 60);
  made["functions"] = std::move(functions);
  return made;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

TEST(StatsText, HasTheBusiestFunctionFirst) {
  const auto stats =
      server_with({function("old", 5000, 0), function("quiet", 1, 0), function("busy", 10, 10)});
  const auto lines = stats_text(stats, {140, 0, Glyphs::blocks});
  ASSERT_GE(lines.size(), 8U);
  EXPECT_THAT(lines[0], StartsWith("up 66 min   instances: 1 busy, 2 idle   memory 40.0 MB"));
  EXPECT_THAT(lines[1], HasSubstr("calls 1234   errors 2   throttled 0   cold 3"));
  EXPECT_THAT(lines[2], HasSubstr("last minute 1.0/s   p50 1.50 ms   p99 4.50 ms"));
  EXPECT_THAT(lines[4], StartsWith("FUNCTION"));
  EXPECT_THAT(lines[4], HasSubstr("LAST MINUTE"));
  EXPECT_THAT(lines[5], StartsWith("busy"));
  EXPECT_THAT(lines[5], HasSubstr("1.50 ms"));
  EXPECT_THAT(lines[5], HasSubstr("█"));
  EXPECT_THAT(lines[6], StartsWith("old"));
  EXPECT_THAT(lines[6], HasSubstr("7.00 ms"));  // since ever
  EXPECT_THAT(lines[7], StartsWith("quiet"));
}

TEST(StatsText, FitsEveryWidth) {
  const auto stats =
      server_with({function("a-function-with-a-name-that-is-longer-than-all-others-are", 5, 5)});
  auto one = function("greet", 5, 5);
  one["versions"].emplace_array().push_back(function("", 5, 5));
  for (std::size_t width = 1; width < 200; ++width) {
    for (const auto glyphs : {Glyphs::blocks, Glyphs::ascii}) {
      for (const auto& line : stats_text(stats, {width, 0, glyphs}))
        ASSERT_LE(count_characters(line), width) << line;
      for (const auto& line : function_stats_text(one, {width, 0, glyphs}))
        ASSERT_LE(count_characters(line), width) << line;
    }
  }
}

TEST(StatsText, CountsWhatWasAnsweredWith500OrMore) {
  const auto table = stats_listing(server_with({function("greet", 5, 5)})).text();
  EXPECT_THAT(table, HasSubstr("5XX"));
  EXPECT_THAT(table, testing::ContainsRegex(" 9 +4\n"));  // before what is queued
}

TEST(StatsText, LeavesTheLeastImportantOut) {
  const auto stats = server_with({function("greet", 5, 5)});
  const auto narrow = joined(stats_text(stats, {50, 0, Glyphs::ascii}));
  EXPECT_THAT(narrow, HasSubstr("FUNCTION"));
  EXPECT_THAT(narrow, HasSubstr("CALLS"));
  EXPECT_THAT(narrow, Not(HasSubstr("THROTTLED")));
  EXPECT_THAT(narrow, Not(HasSubstr("QUEUED")));
}

TEST(StatsText, KeepsToTheHeight) {
  json::array functions;
  for (int i = 0; i < 100; ++i) functions.push_back(function("greet", 5, 5));
  const auto lines = stats_text(server_with(functions), {100, 20, Glyphs::ascii});
  ASSERT_EQ(lines.size(), 20U);
  EXPECT_EQ(lines.back(), "(86 more functions)");
}

TEST(StatsText, IsPlainAsciiWhereThereAreNoBlocks) {
  for (const auto& line :
       stats_text(server_with({function("greet", 5, 5)}), {100, 0, Glyphs::ascii}))
    EXPECT_THAT(line, Each(testing::Ge('\0')));
}

TEST(StatsText, ShowsOneFunctionWithWindowsChartsAndVersions) {
  auto stats = function("greet", 1234, 6);
  auto version = function("", 1234, 0);
  version["version"] = "7";
  stats["versions"].emplace_array().push_back(version);
  const auto text = joined(function_stats_text(stats, {100, 0, Glyphs::blocks}));
  EXPECT_THAT(text, StartsWith("greet   calls 1234   errors 2 (2 timeout)   throttled 0"));
  EXPECT_THAT(text, HasSubstr("cold 3   init p50 80 ms   p99 90 ms"));
  EXPECT_THAT(text,
              HasSubstr("instances: 1 busy, 2 idle   in flight 1   waiting 0   memory 40.0 MB"));
  EXPECT_THAT(text, HasSubstr("\nHTTP   200: 12   404: 1   500: 2   502: 3   5xx: 4\n"));
  EXPECT_THAT(text, HasSubstr("queue: 4 waiting, 0 running, 0 dead"));
  EXPECT_THAT(text, HasSubstr("last 5 minutes"));
  EXPECT_THAT(text, HasSubstr("calls a second, the last minute (at most 6)"));
  EXPECT_THAT(text, HasSubstr("errors a minute (at most 6)"));
  EXPECT_THAT(text, HasSubstr("VERSION"));
}

TEST(StatsText, SaysNothingOfWhatThereIsNot) {
  const auto lines = stats_text({}, {80, 0, Glyphs::ascii});
  EXPECT_EQ(lines.size(), 3U);
  const auto text = joined(function_stats_text({}, {80, 0, Glyphs::ascii}));
  EXPECT_THAT(text, Not(HasSubstr("VERSION")));
  EXPECT_THAT(text, Not(HasSubstr("HTTP")));
  EXPECT_THAT(text, HasSubstr("(at most -)"));
}

TEST(StatsText, WritesTimesAndCountsForPeople) {
  EXPECT_EQ(time_text(0), "-");
  EXPECT_EQ(time_text(0.824), "0.82 ms");
  EXPECT_EQ(time_text(12.3), "12 ms");
  EXPECT_EQ(time_text(1'200), "1.20 s");
  EXPECT_EQ(time_text(150'000), "2.5 min");
  EXPECT_EQ(count_text(99'999), "99999");
  EXPECT_EQ(count_text(123'456), "123k");
  EXPECT_EQ(count_text(4.5e6), "4.5M");
  EXPECT_EQ(span_text(45), "45 s");
  EXPECT_EQ(span_text(200'000), "2 days");
}

}  // namespace
}  // namespace lambda::cli
