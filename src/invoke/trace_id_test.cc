#include "invoke/trace_id.h"

#include <gtest/gtest.h>

#include <chrono>

namespace lambda::invoke {
namespace {

TEST(TraceId, IsKeptWhereItIsOneAndMadeOtherwise) {
  const WallTime now(std::chrono::seconds(0x5759e988));
  const auto made = trace_id_for("", now);
  EXPECT_EQ(made.find("Root=1-5759e988-"), 0u);
  EXPECT_EQ(
      made.size(),
      std::string("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0")
          .size());
  const std::string sent = "Root=1-5759e988-bd862e3fe1be46a994272793";
  EXPECT_EQ(trace_id_for(sent, now), sent);
  EXPECT_EQ(trace_id_for("nonsense", now).find("Root=1-5759e988-"), 0u);
}

}  // namespace
}  // namespace lambda::invoke
