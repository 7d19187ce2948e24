#include "events/scheduler/scheduled_event.h"

#include <gtest/gtest.h>

#include <chrono>

namespace lambda::events {
namespace {

constexpr WallTime kTime{std::chrono::milliseconds(1'767'323'045'678)};

std::string event_of(std::string data) {
  Schedule schedule;
  schedule.definition.name = "often";
  schedule.definition.data = std::move(data);
  return scheduled_event(schedule, function::Tenant(), kTime, "an-id");
}

TEST(ScheduledEvent, KnownPlaceholdersAreFilledInAndOthersStay) {
  EXPECT_EQ(
      event_of("<aws.scheduler.scheduled-time>|<aws.scheduler.execution-id>|"
               "<aws.scheduler.attempt-number>|<aws.scheduler.schedule-arn>"),
      "2026-01-02T03:04:05Z|an-id|1|arn:aws:scheduler:us-east-1:000000000000:schedule/default/"
      "often");
  for (const char* plain : {"", "<aws.scheduler.", "<aws.scheduler.other>", "<aws.schedule", "{}"})
    EXPECT_EQ(event_of(plain), plain);
  EXPECT_EQ(event_of("<aws.scheduler.<aws.scheduler.execution-id>"), "<aws.scheduler.an-id");
}

// Quadratic, this would be some minutes.
TEST(ScheduledEvent, ManyPlaceholdersTakeOnePass) {
  std::string data;
  for (int i = 0; i < 35'000; ++i) data += "<aws.scheduler.execution-id>";
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(event_of(data).size(), 35'000u * 5);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
  ScheduleDefinition definition;
  definition.data = data;
  EXPECT_EQ(largest_event(definition, function::Tenant()), 35'000u * 36);
}

}  // namespace
}  // namespace lambda::events
