#include "invoke/call_trace.h"

#include <gtest/gtest.h>

namespace lambda::invoke {
namespace {

using namespace std::chrono_literals;
using observe::hex_of;

const WallTime kNow(1465510280s);
constexpr std::string_view kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

http::Headers headers(std::vector<std::pair<std::string, std::string>> fields) {
  http::Headers made;
  for (auto& [name, value] : fields) made.add(std::move(name), std::move(value));
  return made;
}

TEST(CallTrace, IsBegunWhereNobodySentOne) {
  const auto trace = TraceRules().begin({}, kNow);
  EXPECT_TRUE(trace.amzn.starts_with("Root=1-5759e988-"));
  EXPECT_EQ(trace.amzn.size(), std::string("Root=1-5759e988-").size() + 24 + 24 + 10);
  EXPECT_TRUE(trace.amzn.ends_with(";Parent=" + hex_of(trace.context.span) + ";Sampled=0"));
  EXPECT_FALSE(trace.amzn_sent);
  EXPECT_FALSE(trace.context.has_parent());
  EXPECT_NE(trace.amzn, TraceRules().begin({}, kNow).amzn);
}

TEST(CallTrace, ATraceparentIsTakenOverAndMappedForFunctionsThatKnowAwsAlone) {
  const auto trace = TraceRules().begin(
      headers(
          {{"Traceparent", std::string(kParent)}, {"tracestate", "a=1"}, {"Tracestate", "b=2"}}),
      kNow);
  EXPECT_EQ(hex_of(trace.context.trace), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(hex_of(trace.context.parent), "b7ad6b7169203331");
  EXPECT_TRUE(trace.context.sampled);
  EXPECT_NE(trace.context.span, trace.context.parent);
  EXPECT_EQ(trace.amzn, "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=" +
                            hex_of(trace.context.span) + ";Sampled=1");
  EXPECT_EQ(trace.state, "a=1,b=2");
}

TEST(CallTrace, AMalformedTraceparentIsReplacedAndItsStateDropped) {
  for (const auto& fields : {headers({{"traceparent", "00-zz"}, {"tracestate", "a=1"}}),
                             headers({{"traceparent", std::string(kParent)},
                                      {"traceparent", std::string(kParent)},
                                      {"tracestate", "a=1"}})}) {
    const auto trace = TraceRules().begin(fields, kNow);
    EXPECT_TRUE(trace.context.known());
    EXPECT_NE(hex_of(trace.context.trace), "0af7651916cd43dd8448eb211c80319c");
    EXPECT_EQ(trace.state, "");
  }
}

TEST(CallTrace, AnAmznTraceIdIsKeptAsItWasSentAndItsRootIsTheTrace) {
  const std::string sent =
      "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=1";
  auto trace = TraceRules().begin(headers({{"X-Amzn-Trace-Id", sent}}), kNow);
  EXPECT_EQ(trace.amzn, sent);
  EXPECT_EQ(hex_of(trace.context.trace), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(hex_of(trace.context.parent), "b7ad6b7169203331");
  EXPECT_TRUE(trace.context.sampled);
  trace = TraceRules().begin(headers({{"X-Amzn-Trace-Id", "Root=odd;x=1"}}), kNow);
  EXPECT_EQ(trace.amzn, "Root=odd;x=1");
  EXPECT_TRUE(trace.context.known());
  trace = TraceRules().begin(headers({{"X-Amzn-Trace-Id", "nonsense"}}), kNow);
  EXPECT_TRUE(trace.amzn.starts_with("Root=1-5759e988-"));
}

TEST(CallTrace, TheShareThatIsSampledIsOfThoseBegunHere) {
  const TraceRules half(0.5);
  int sampled = 0;
  for (int i = 0; i < 2000; ++i) sampled += half.begin({}, kNow).context.sampled ? 1 : 0;
  EXPECT_GT(sampled, 800);
  EXPECT_LT(sampled, 1200);
  EXPECT_TRUE(TraceRules(1).begin({}, kNow).context.sampled);
  EXPECT_TRUE(TraceRules(1).begin({}, kNow).amzn.ends_with("Sampled=1"));
  auto not_sampled = std::string(kParent);
  not_sampled.back() = '0';
  EXPECT_FALSE(TraceRules(1).begin(headers({{"traceparent", not_sampled}}), kNow).context.sampled);
  EXPECT_TRUE(
      TraceRules(0).begin(headers({{"traceparent", std::string(kParent)}}), kNow).context.sampled);
}

TEST(CallTrace, TheAttemptsOfAnEventAreSpansOfOneTrace) {
  const auto accepted = TraceRules().begin(
      headers({{"traceparent", std::string(kParent)}, {"tracestate", "a=1"}}), kNow);
  const auto stored = kept(accepted);
  EXPECT_EQ(stored.amzn, "");
  EXPECT_EQ(stored.parent, kParent);
  const auto first = TraceRules().resume(stored, "id", kNow);
  const auto second = TraceRules().resume(stored, "id", kNow);
  EXPECT_EQ(first.context.trace, accepted.context.trace);
  EXPECT_EQ(second.context.trace, accepted.context.trace);
  EXPECT_EQ(hex_of(first.context.parent), "b7ad6b7169203331");
  EXPECT_NE(first.context.span, second.context.span);
  EXPECT_EQ(first.state, "a=1");
  EXPECT_NE(first.amzn, second.amzn);
}

TEST(CallTrace, WhatAResultGoesOnAsIsBelowTheCall) {
  const auto call = TraceRules().begin(
      headers({{"traceparent", std::string(kParent)}, {"tracestate", "a=1"}}), kNow);
  const auto next = TraceRules().resume(kept_below(call), "id", kNow);
  EXPECT_EQ(next.context.trace, call.context.trace);
  EXPECT_EQ(next.context.parent, call.context.span);
  EXPECT_NE(next.context.span, call.context.span);
  EXPECT_TRUE(next.context.sampled);
  EXPECT_EQ(next.state, "a=1");
  const auto sent = "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=0";
  const auto by_amzn = TraceRules().begin(headers({{"X-Amzn-Trace-Id", sent}}), kNow);
  EXPECT_EQ(TraceRules().resume(kept_below(by_amzn), "id", kNow).amzn, sent);
}

TEST(CallTrace, AnEventOfWhichNothingIsKeptHasTheTraceOfItsId) {
  const std::string id = "61e4db12-d7d3-4e6e-bdb2-35b6ff52a12b";
  const auto first = TraceRules(1).resume({}, id, kNow);
  EXPECT_EQ(hex_of(first.context.trace), "5759e988d7d34e6ebdb235b6ff52a12b");
  EXPECT_EQ(TraceRules(1).resume({}, id, kNow).context.trace, first.context.trace);
  EXPECT_TRUE(first.context.sampled);
  EXPECT_FALSE(first.context.has_parent());
  EXPECT_TRUE(TraceRules().resume({}, "no uuid", kNow).context.known());
  KeptTrace earlier;
  earlier.amzn = "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=0";
  EXPECT_EQ(TraceRules().resume(earlier, id, kNow).amzn, earlier.amzn);
}

}  // namespace
}  // namespace lambda::invoke
