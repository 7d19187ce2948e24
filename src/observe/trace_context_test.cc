#include "observe/trace_context.h"

#include <gtest/gtest.h>

namespace lambda::observe {
namespace {

constexpr std::string_view kTrace = "0af7651916cd43dd8448eb211c80319c";
constexpr std::string_view kParent = "b7ad6b7169203331";

std::string parent_text(std::string_view flags = "01") {
  return "00-" + std::string(kTrace) + "-" + std::string(kParent) + "-" + std::string(flags);
}

TEST(TraceContext, ATraceparentIsReadAndPassedOnWithTheCallsOwnSpan) {
  auto read = parse_traceparent(parent_text());
  ASSERT_TRUE(read);
  EXPECT_EQ(hex_of(read->trace), kTrace);
  EXPECT_EQ(hex_of(read->parent), kParent);
  EXPECT_TRUE(read->sampled);
  EXPECT_FALSE(parse_traceparent(parent_text("00"))->sampled);
  read->span = {1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(traceparent_of(*read), "00-" + std::string(kTrace) + "-0102030405060708-01");
  EXPECT_EQ(amzn_trace_of(*read),
            "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=0102030405060708;Sampled=1");
}

TEST(TraceContext, OtherFlagsAndLaterVersionsAreRead) {
  EXPECT_TRUE(parse_traceparent(parent_text("ff"))->sampled);
  EXPECT_FALSE(parse_traceparent(parent_text("02"))->sampled);
  EXPECT_TRUE(parse_traceparent("cc" + parent_text().substr(2) + "-what-comes-later"));
}

class Malformed : public testing::TestWithParam<std::string> {};
TEST_P(Malformed, IsNoTraceparent) {
  EXPECT_FALSE(parse_traceparent(GetParam())) << GetParam();
}
INSTANTIATE_TEST_SUITE_P(TraceContext, Malformed,
                         testing::Values("", "0", "00", "00-", "nonsense", parent_text() + "-more",
                                         parent_text() + " ", "ff" + parent_text().substr(2),
                                         "cc" + parent_text().substr(2) + "x",
                                         "0G" + parent_text().substr(2), parent_text("0g"),
                                         parent_text("1"),
                                         "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
                                         "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                                         "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                                         "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
                                         parent_text() + "," + parent_text()));

TEST(TraceContext, TheRootOfAnAmznTraceIdIsTheTrace) {
  const auto read = parse_amzn_trace(
      "Root=1-0af76519-16cd43dd8448eb211c80319c; Parent=b7ad6b7169203331;Sampled=1;Lineage=1:2");
  ASSERT_TRUE(read);
  EXPECT_EQ(hex_of(read->context.trace), kTrace);
  EXPECT_EQ(hex_of(read->context.parent), kParent);
  EXPECT_EQ(read->sampled, true);
  EXPECT_FALSE(parse_amzn_trace("Root=1-0af76519-16cd43dd8448eb211c80319c;Sampled=?")->sampled);
  EXPECT_EQ(parse_amzn_trace("Sampled=0;Root=1-0af76519-16cd43dd8448eb211c80319c")->sampled, false);
  for (const char* wrong :
       {"", "Root=", "Root=1-0af76519-16cd43dd8448eb211c80319", "Root=2-0af76519-16cd43dd8448eb21",
        "Root=1-00000000-000000000000000000000000", "Parent=b7ad6b7169203331", ";;;=;"}) {
    EXPECT_FALSE(parse_amzn_trace(wrong)) << wrong;
  }
}

TEST(TraceContext, WhatIsKeptOfOneMayHaveNoParent) {
  TraceContext context;
  EXPECT_EQ(kept_text(context), "");
  EXPECT_FALSE(parse_kept(""));
  context = *parse_traceparent(parent_text());
  EXPECT_EQ(kept_text(context), parent_text());
  context.parent = {};
  const auto again = parse_kept(kept_text(context));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->trace, context.trace);
  EXPECT_FALSE(again->has_parent());
  EXPECT_TRUE(again->sampled);
}

TEST(TraceContext, ATracestateIsPassedOnWhereItFits) {
  EXPECT_EQ(usable_tracestate("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"),
            "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
  EXPECT_EQ(usable_tracestate(std::string(513, 'a')), "");
  EXPECT_EQ(usable_tracestate("a=\x01"), "");
}

}  // namespace
}  // namespace lambda::observe
