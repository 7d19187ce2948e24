#include "events/scheduler/scheduled_event.h"

#include "base/crypto.h"
#include "base/time_text.h"

#include <boost/json.hpp>

#include <cstdint>
#include <utility>

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

void replace_all(std::string& text, std::string_view word, std::string_view value) {
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + value.size()))
    text.replace(at, word.size(), value);
}

}  // namespace

std::string scheduled_event(const Schedule& schedule, const function::Tenant& tenant, WallTime time,
                            std::string_view event_id) {
  if (schedule.definition.data) {
    auto text = *schedule.definition.data;
    if (text.find("<aws.scheduler.") == std::string::npos) return text;
    replace_all(text, "<aws.scheduler.scheduled-time>", seconds_text(time));
    replace_all(text, "<aws.scheduler.schedule-arn>",
                arn_of(schedule, tenant, "scheduler", "schedule/default"));
    replace_all(text, "<aws.scheduler.execution-id>", event_id);
    replace_all(text, "<aws.scheduler.attempt-number>", "1");
    return text;
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
