#include "cli/doctor_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

TEST(DoctorReport, ReadsTheDateOfAnAnswer) {
  EXPECT_EQ(seconds_of_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784'111'777);
  EXPECT_EQ(seconds_of_date("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
  for (const char* wrong :
       {"", "now", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT"})
    EXPECT_FALSE(seconds_of_date(wrong)) << wrong;
}

TEST(DoctorReport, ComparesClocks) {
  const char* date = "Sun, 06 Nov 1994 08:49:37 GMT";
  EXPECT_EQ(clock_finding(date, 784'111'778).health, "ok");
  EXPECT_EQ(clock_finding(date, 784'111'777 - 20).health, "warn");
  EXPECT_THAT(clock_finding(date, 784'111'777 - 20).found, testing::HasSubstr("20 s behind"));
  EXPECT_EQ(clock_finding(date, 784'111'777 + 600).health, "fail");
  EXPECT_EQ(clock_finding("", 0).health, "warn");
}

TEST(DoctorReport, PutsWhatToDoBelow) {
  const std::vector<Finding> findings = {{"driver", "ok", "native", "", ""},
                                         {"port", "warn", "8080", "URLs have a port.", "sudo x"}};
  EXPECT_EQ(findings_text(findings, false, 0),
            "driver  ok    native\n"
            "port    warn  8080\n"
            "              URLs have a port.\n"
            "              mend it: sudo x\n");
  EXPECT_THAT(findings_text(findings, true, 0), testing::HasSubstr("\x1B[33mwarn\x1B[0m"));
}

TEST(DoctorReport, BreaksLinesBetweenWordsButNoCommand) {
  const std::vector<Finding> findings = {{"disk", "fail", "0 MB free of 100 GB at /data",
                                          "Nothing fits.", "sudo du -x /data | sort -h"}};
  EXPECT_EQ(findings_text(findings, false, 30),
            "disk  fail  0 MB free of 100\n"
            "            GB at /data\n"
            "            Nothing fits.\n"
            "            mend it: sudo du -x /data | sort -h\n");
  // Where there is hardly room the terminal does it.
  EXPECT_THAT(findings_text(findings, false, 14),
              testing::HasSubstr("0 MB free of 100 GB at /data\n"));
}

TEST(DoctorReport, GivesBackWhatTheServerSaid) {
  const auto answer = boost::json::parse(
      R"({"checks":[{"name":"disk","health":"fail","found":"full","meaning":"no","mend":"df"},7]})");
  const auto findings = findings_in(answer.as_object());
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_TRUE(is_anything_failed(findings));
  EXPECT_EQ(findings_json(findings)[0], answer.as_object().at("checks").as_array()[0]);
}

}  // namespace
}  // namespace lambda::cli
