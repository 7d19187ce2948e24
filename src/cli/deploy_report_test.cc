#include "cli/deploy_report.h"

#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

namespace json = boost::json;

// What standard error shows for an answer that comes in pieces of `size` bytes.
std::string shown(const std::string& answer, std::size_t size, DeployReport& report) {
  testing::internal::CaptureStderr();
  for (std::size_t at = 0; at < answer.size(); at += size) report.take(answer.substr(at, size));
  report.end_open_step();
  return testing::internal::GetCapturedStderr();
}

constexpr const char* kBuild =
    "{\"event\":\"begin\",\"step\":2,\"text\":\"Building image \\\"func-greet\\\"\"}\n"
    "{\"event\":\"output\",\"text\":\"Step 1/2\\nStep\"}\n"
    "{\"event\":\"output\",\"text\":\" 2/2\\n\"}\n"
    "{\"event\":\"end\",\"step\":2,\"text\":\"Done.\"}\n"
    "{\"event\":\"begin\",\"step\":3,\"text\":\"Starting container\"}\n"
    "{\"event\":\"end\",\"step\":3,\"text\":\"Done. (init 21 ms)\"}\n"
    "{\"event\":\"result\",\"version\":3}\n";

TEST(DeployReport, ShowsHowFarABuildIsBelowWhatItSays) {
  DeployReport report(3, true);
  const auto text = shown(
      "{\"event\":\"begin\",\"step\":2,\"text\":\"Building\"}\n"
      "{\"event\":\"output\",\"text\":\"Step 1/2 : FROM x\\n\"}\n"
      "{\"event\":\"output\",\"text\":\"pulled\\n\"}\n"
      "{\"event\":\"end\",\"step\":2,\"text\":\"Done.\"}\n",
      10'000, report);
  const std::string bar = "      Building [                    ] step 1 of 2\r\x1B[K";
  EXPECT_EQ(text, "[2/3] Building...\n      Step 1/2 : FROM x\n" + bar + "      pulled\n" + bar +
                      "      Done.\n");
}

TEST(DeployReport, ShowsStepsHoweverTheyAreCut) {
  for (const std::size_t size : {1u, 7u, 10'000u}) {
    DeployReport report(3, false);
    EXPECT_EQ(shown(kBuild, size, report),
              "[2/3] Building image \"func-greet\"...\n"
              "      Step 1/2\n"
              "      Step 2/2\n"
              "      Done.\n"
              "[3/3] Starting container... Done. (init 21 ms)\n");
    ASSERT_TRUE(report.result());
    EXPECT_FALSE(report.error());
  }
}

TEST(DeployReport, ShowsALineForEachDrawingOfABar) {
  DeployReport report(3, false);
  EXPECT_EQ(shown("{\"event\":\"begin\",\"step\":2,\"text\":\"Building\"}\n"
                  "{\"event\":\"output\",\"text\":\"10%\\r20%\\r\\ndone\\r\\n\"}\n",
                  10'000, report),
            "[2/3] Building...\n      10%\n      20%\n      done\n      failed.\n");
}

TEST(DeployReport, ShowsAnErrorOfNodeAsItsStack) {
  json::object error{{"message", "it failed"}, {"status", 400}};
  error["log"] =
      "starting\n"
      "2026-01-02T03:04:05.678Z\tundefined\tERROR\tInit Error "
      "\t{\"errorType\":\"X\",\"stack\":[\"index."
      "js:2\",\"  1 +;\",\"\",\"SyntaxError: Unexpected token ';'\",\"    at a\"]}\n"
      "2026-01-02T03:04:05.678Z\tundefined\tERROR\tmine\t{not json}\n";
  testing::internal::CaptureStderr();
  show_deploy_error(error);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "\nlambda: it failed\n\nIts output:\n  starting\n  index.js:2\n    1 +;\n"
            "  SyntaxError: Unexpected token ';'\n      at a\n"
            "  2026-01-02T03:04:05.678Z\tundefined\tERROR\tmine\t{not json}\n");
}

TEST(DeployReport, ShowsNothingTwice) {
  testing::internal::CaptureStderr();
  show_deploy_error(json::object{{"message", "it failed: no ruby"}, {"log", "no ruby\n"}});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "\nlambda: it failed: no ruby\n");
}

TEST(DeployReport, EndsTheStepThatFailed) {
  DeployReport report(3, false);
  EXPECT_EQ(shown("{\"event\":\"begin\",\"step\":3,\"text\":\"Starting sandbox\"}\n"
                  "{\"event\":\"error\",\"code\":\"function failed\",\"message\":\"m\"}\n",
                  5, report),
            "[3/3] Starting sandbox... failed.\n");
  EXPECT_TRUE(report.error());
}

TEST(DeployReport, KeepsALineThatItDoesNotUnderstand) {
  DeployReport report(3, false);
  shown("{\"event\":\"error\",\"log\":\"\xFF\x1B[31m\"}\n{\"event\":\"new in a later version\"}\n",
        9, report);
  EXPECT_FALSE(report.error());
  ASSERT_TRUE(report.unreadable());
  EXPECT_EQ(*report.unreadable(), "{\"event\":\"error\",\"log\":\"??[31m\"}");
}

TEST(DeployError, HasTheFunctionsWordsAndAnExitCode) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(show_deploy_error({{"code", "function failed"},
                               {"status", 400},
                               {"message", "it did not load"},
                               {"functionPayload", R"({"errorType":"E","errorMessage":"m",
                                                       "stackTrace":["  File \"app.py\""]})"}}),
            3);
  const auto text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("it did not load"), std::string::npos);
  EXPECT_NE(text.find("E: m"), std::string::npos);
  EXPECT_NE(text.find("File \"app.py\""), std::string::npos);
  testing::internal::CaptureStderr();
  EXPECT_EQ(show_deploy_error({{"code", "invalid"}, {"status", 400}, {"message", "m"}}), 2);
  EXPECT_EQ(show_deploy_error({{"code", "internal"}, {"status", 500}, {"message", "m"}}), 1);
  EXPECT_EQ(show_deploy_error({{"code", "unavailable"}, {"status", 503}, {"message", "m"}}), 1);
  testing::internal::GetCapturedStderr();
}

}  // namespace
}  // namespace lambda::cli
