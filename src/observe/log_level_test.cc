#include "observe/log_level.h"

#include <gtest/gtest.h>

namespace lambda::observe {
namespace {

std::string level(std::string_view text) {
  const auto found = level_of(text);
  return found ? std::string(to_string(*found)) : "none";
}

TEST(LogLevel, OfStructuredLines) {
  EXPECT_EQ(level(R"({"level":"WARN","message":"x"})"), "warn");
  EXPECT_EQ(level(R"({"levelname":"CRITICAL"})"), "fatal");
  EXPECT_EQ(level(R"({"severity":"notice"})"), "info");
  EXPECT_EQ(level(R"({"log.level":"error"})"), "error");
  EXPECT_EQ(level(R"({"log":{"level":"debug"}})"), "debug");
  EXPECT_EQ(level(R"({"level":50,"msg":"pino"})"), "error");
  EXPECT_EQ(level(R"({"level":7})"), "none");
  EXPECT_EQ(level(R"({"level":["x"]})"), "none");
  EXPECT_EQ(level(R"({"level":"ERROR")"), "none");
  EXPECT_EQ(level(" \t{\"level\":\"error\"} \r"), "error");
  EXPECT_EQ(level("  "), "none");
}

TEST(LogLevel, OfAwsForms) {
  EXPECT_EQ(level("2026-01-02T03:04:05.678Z\t61e4db12\tERROR\tit failed"), "error");
  EXPECT_EQ(level("2026-01-02T03:04:05.678Z\tundefined\tINFO\t"), "info");
  EXPECT_EQ(level("[WARNING]\t2026-01-02T03:04:05.678Z\t61e4db12\tcareful"), "warn");
  EXPECT_EQ(level("[ERROR] ValueError: no"), "error");
  EXPECT_EQ(level("[1, 2, 3]"), "none");
  EXPECT_EQ(level("a\tb\tERROR\tc"), "none");
}

TEST(LogLevel, OfThePlatformsWords) {
  EXPECT_EQ(level("START RequestId: r Version: 1"), "info");
  EXPECT_EQ(level("2026-01-02T03:04:05.678Z r Task timed out after 3.00 seconds"), "error");
  EXPECT_EQ(level("RequestId: r Error: Runtime exited with error: exit status 1"), "error");
  EXPECT_EQ(level("INIT_REPORT Init Duration: 1.00 ms\tPhase: init\tStatus: timeout"), "error");
  EXPECT_EQ(level("[lambda] the deploy of version 2 failed: start: exit status 1"), "error");
  EXPECT_EQ(level("[lambda] 7 lines before this one (9 bytes) were not kept: it floods"), "warn");
  EXPECT_EQ(level("2026-01-02T03:04:05.678Z 61e4db12-d7d3-4e6e-bdb2-35b6ff52a12b its HTTP server "
                  "ended: exit status 1"),
            "error");
  EXPECT_EQ(
      level("2026-01-02T03:04:05.678Z a function's own words, which happen to be long enough"),
      "none");
  EXPECT_EQ(level("just words, ERROR or not"), "none");
  EXPECT_EQ(level(""), "none");
}

TEST(LogLevel, NamesInAnyCase) {
  EXPECT_EQ(parse_level("Warning"), LogLevel::warn);
  EXPECT_EQ(parse_level("loud"), std::nullopt);
  EXPECT_EQ(parse_level(""), std::nullopt);
}

}  // namespace
}  // namespace lambda::observe
