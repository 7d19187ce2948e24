// The event that a firing gives to its function. Pure.
#pragma once

#include "base/clock.h"
#include "events/scheduler/schedule.h"
#include "function/catalog.h"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace lambda::events {

// EventBridge's "Scheduled Event"; or the schedule's own data, with what EventBridge Scheduler puts
// in: <aws.scheduler.scheduled-time>, <aws.scheduler.schedule-arn>, <aws.scheduler.execution-id>,
// <aws.scheduler.attempt-number> (always 1: the event is the same over attempts).
[[nodiscard]] std::string scheduled_event(const Schedule& schedule, const function::Tenant& tenant,
                                          WallTime time, std::string_view event_id);

// The size of the largest of its events.
[[nodiscard]] std::size_t largest_event(const ScheduleDefinition& definition,
                                        const function::Tenant& tenant);

// How much later than its time a firing is called: the same whenever it is asked for.
[[nodiscard]] std::chrono::milliseconds jitter_of(const Schedule& schedule, WallTime time);

}  // namespace lambda::events
