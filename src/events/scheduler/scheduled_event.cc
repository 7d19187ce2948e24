#include "events/scheduler/scheduled_event.h"

#include "base/crypto.h"
#include "base/time_text.h"

#include <boost/json.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace lambda::events {
namespace {

namespace json = boost::json;

// "2026-01-02T03:04:05Z": AWS's events have no fraction.
std::string seconds_text(WallTime time) {
  return format_iso(time).substr(0, 19) + "Z";
}

std::string arn_of(const Schedule& schedule, const function::Tenant& tenant,
                   std::string_view service, std::string_view kind) {
  return fmt::format("arn:aws:{}:{}:{}:{}/{}", service, tenant.region, tenant.account, kind,
                     schedule.definition.name);
}

struct Placeholder {
  std::string_view name;
  std::string value;
};

// In one pass: a value is not looked through again.
std::string filled_in(std::string_view text, const std::vector<Placeholder>& placeholders) {
  constexpr std::string_view kBegin = "<aws.scheduler.";
  std::string filled;
  while (true) {
    const auto at = text.find(kBegin);
    filled += text.substr(0, at);
    if (at == std::string_view::npos) return filled;
    text.remove_prefix(at);
    const auto known = std::ranges::find_if(
        placeholders, [text](const auto& one) { return text.starts_with(one.name); });
    const bool found = known != placeholders.end();
    filled += found ? known->value : std::string(kBegin);
    text.remove_prefix(found ? known->name.size() : kBegin.size());
  }
}

}  // namespace

std::string scheduled_event(const Schedule& schedule, const function::Tenant& tenant, WallTime time,
                            std::string_view event_id) {
  if (schedule.definition.data) {
    return filled_in(*schedule.definition.data,
                     {{"<aws.scheduler.scheduled-time>", seconds_text(time)},
                      {"<aws.scheduler.schedule-arn>",
                       arn_of(schedule, tenant, "scheduler", "schedule/default")},
                      {"<aws.scheduler.execution-id>", std::string(event_id)},
                      {"<aws.scheduler.attempt-number>", "1"}});
  }
  json::object event;
  event["version"] = "0";
  event["id"] = event_id;
  event["detail-type"] = "Scheduled Event";
  event["source"] = "aws.events";
  event["account"] = tenant.account;
  event["time"] = seconds_text(time);
  event["region"] = tenant.region;
  event["resources"] = json::array{json::string(arn_of(schedule, tenant, "events", "rule"))};
  event["detail"] = json::object();
  return json::serialize(event);
}

// What is filled in is as long for every firing.
std::size_t largest_event(const ScheduleDefinition& definition, const function::Tenant& tenant) {
  constexpr std::string_view kSomeId = "00000000-0000-0000-0000-000000000000";
  Schedule schedule;
  schedule.definition = definition;
  return scheduled_event(schedule, tenant, WallTime(), kSomeId).size();
}

std::chrono::milliseconds jitter_of(const Schedule& schedule, WallTime time) {
  const auto most = schedule.definition.jitter.count();
  if (most <= 0) return std::chrono::milliseconds(0);
  const auto digest = sha256(fmt::format("{} {}", schedule.id, time.time_since_epoch().count()));
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i)
    number = number << 8 | static_cast<unsigned char>(digest[i]);
  return std::chrono::milliseconds(
      static_cast<std::int64_t>(number % (static_cast<std::uint64_t>(most) + 1)));
}

}  // namespace lambda::events
