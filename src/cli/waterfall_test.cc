#include "cli/waterfall.h"

#include "base/encoding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace lambda::cli {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;

json::object step(std::string_view name, int begin, int duration) {
  return {{"step", name}, {"begin", begin}, {"duration", duration}};
}

json::object cold_call() {
  return {{"requestId", "61e4"},
          {"function", "greet"},
          {"version", "7"},
          {"qualifier", "live"},
          {"source", "api"},
          {"attempt", 1},
          {"time", "2026-01-02T03:04:05.000Z"},
          {"duration", 200'000},
          {"end", "success"},
          {"cold", true},
          {"instance", "abc"},
          {"memoryPeak", 31'000'000},
          {"payloadBytes", 24},
          {"responseBytes", 120},
          {"steps",
           {step("waiting", 0, 1'200), step("sandbox", 1'200, 50'000), step("clone", 1'200, 9'000),
            step("init", 51'200, 100'000), step("handler", 151'200, 48'000),
            step("response", 199'200, 800)}}};
}

Canvas canvas(std::size_t width, bool unicode) {
  Canvas made;
  made.width = width;
  made.glyphs = unicode ? Glyphs::blocks : Glyphs::ascii;
  return made;
}

TEST(Waterfall, DrawsEveryStepAtItsPlace) {
  EXPECT_EQ(waterfall({cold_call()}, canvas(67, false)),
            "greet:live  version 7\n"
            "request 61e4\n\n"
            "2026-01-02T03:04:05.000Z  200.0 ms  success\n"
            "  source api, instance abc, its first call, memory 31.0 MB, in 24 B\n"
            "  out 120 B\n\n"
            "  waiting     #                                             1.2 ms\n"
            "  sandbox     ###########                                  50.0 ms\n"
            "    clone     ##                                            9.0 ms\n"
            "  init                  #####################             100.0 ms\n"
            "  handler                                   ##########     48.0 ms\n"
            "  response                                           #     0.80 ms\n"
            "  in all      ########################################    200.0 ms\n");
}

TEST(Waterfall, FitsWhateverWidth) {
  for (const std::size_t width : {40u, 80u, 160u}) {
    for (const bool unicode : {false, true}) {
      std::istringstream lines(waterfall({cold_call()}, canvas(width, unicode)));
      std::string line;
      std::size_t widest = 0;
      while (std::getline(lines, line)) {
        if (!line.starts_with("2026")) widest = std::max(widest, count_characters(line));
      }
      EXPECT_LE(widest, width);
      EXPECT_GE(widest, width - 2);
    }
  }
  EXPECT_THAT(waterfall({cold_call()}, canvas(67, true)), HasSubstr("█"));
}

TEST(Waterfall, ShowsAttemptsWithTheWaitsBetween) {
  auto first = cold_call();
  first["end"] = "timeout";
  first["errorType"] = "Sandbox.Timedout";
  auto second = cold_call();
  second["attempt"] = 2;
  second["time"] = "2026-01-02T03:05:06.200Z";
  first["accepted"] = second["accepted"] = "2026-01-02T03:03:00.000Z";
  const auto text = waterfall({first, second}, canvas(80, false));
  EXPECT_THAT(text, HasSubstr("attempt 1  2026-01-02T03:04:05.000Z  200.0 ms  timeout: "
                              "Sandbox.Timedout\n"));
  EXPECT_THAT(text, HasSubstr("request 61e4\n"
                              "accepted 2026-01-02T03:03:00.000Z, 1 min 5 s before attempt 1\n\n"));
  EXPECT_THAT(text, HasSubstr("\n  : 1 min 1 s until the next attempt\n"));
  EXPECT_THAT(text, HasSubstr("attempt 2  "));
}

TEST(Waterfall, SaysWhatBeganBeforeTheCallAndWhyThereIsNoStep) {
  auto call = cold_call();
  call["steps"] = json::array{step("sandbox", -30'000, 50'000)};
  EXPECT_THAT(waterfall({call}, canvas(80, false)),
              HasSubstr("(it began 30.0 ms before the call)"));
  call["steps"] = json::array();
  call["end"] = "throttled";
  call["reason"] = "Rate Exceeded.\x1b[2J";
  EXPECT_THAT(waterfall({call}, canvas(80, false)), HasSubstr("  Rate Exceeded.\\x1B[2J\n"));
  EXPECT_EQ(waterfall({}, canvas(80, false)), "");
}

TEST(Waterfall, ListsCalls) {
  auto slow = cold_call();
  slow["slow"] = true;
  auto http = cold_call();
  http["status"] = 404;
  http["cold"] = false;
  auto broken = http;
  broken["status"] = 503;
  broken["end"] = "handler_error";
  EXPECT_EQ(call_table({slow, http, broken}),
            "REQUEST  TIME                 END       TOTAL\n"
            "61e4     2026-01-02T03:04:05  success   200.0 ms  cold, slow\n"
            "61e4     2026-01-02T03:04:05  HTTP 404  200.0 ms\n"
            "61e4     2026-01-02T03:04:05  HTTP 503  200.0 ms\n");
}

TEST(DurationText, HasThreeDigitsOrSo) {
  EXPECT_EQ(duration_text(0), "0.00 ms");
  EXPECT_EQ(duration_text(123), "0.12 ms");
  EXPECT_EQ(duration_text(12'345), "12.3 ms");
  EXPECT_EQ(duration_text(1'234'567), "1.23 s");
  EXPECT_EQ(duration_text(125'000'000), "2 min 5 s");
  EXPECT_EQ(duration_text(7'500'000'000), "2 h 5 min");
}

}  // namespace
}  // namespace lambda::cli
