#include "api/events/schedule_api.h"

#include "api/json_check.h"
#include "base/time_text.h"
#include "events/scheduler/schedule_text.h"
#include "events/scheduler/scheduler.h"

#include <algorithm>
#include <array>
#include <utility>

namespace lambda::api {
namespace {

namespace json = boost::json;
using events::FiringInfo;
using events::ScheduleDefinition;
using events::Scheduler;
using events::TimeZone;

constexpr std::size_t kTimesShown = 5;
constexpr std::size_t kFiringsShown = 10;
constexpr std::size_t kTimesOfCheck = 3;

// ---- showing

json::value time_json(const std::optional<WallTime>& time, const TimeZone& zone) {
  if (!time) return nullptr;
  return json::value(events::local_text(*time, zone));
}

json::array times_json(const std::vector<WallTime>& times, const TimeZone& zone) {
  json::array array;
  for (const auto time : times) array.push_back(time_json(time, zone));
  return array;
}

// Of one that is not there any more the times are shown in UTC.
TimeZone zone_of(const ScheduleDefinition& definition) {
  auto zone = TimeZone::find(definition.zone);
  return zone ? std::move(*zone) : TimeZone();
}

// But its names and the data itself.
void add_definition(json::object& object, const ScheduleDefinition& definition,
                    const TimeZone& zone) {
  object["cron"] = definition.expression;
  object["timezone"] = definition.zone;
  object["overlap"] = to_string(definition.overlap);
  object["misfire"] = to_string(definition.misfire);
  object["jitter"] = events::duration_text(definition.jitter);
  object["dataBytes"] =
      definition.data ? json::value(definition.data->size()) : json::value(nullptr);
  object["from"] = time_json(definition.from, zone);
  object["until"] = time_json(definition.until, zone);
}

json::object schedule_json(const Scheduler::Info& info, const TimeZone& zone) {
  const auto& definition = info.schedule.definition;
  json::object object;
  object["function"] = definition.function;
  object["name"] = definition.name;
  add_definition(object, definition, zone);
  object["declared"] = definition.declared;
  object["paused"] = info.schedule.paused;
  object["queued"] = info.schedule.queued;
  object["next"] = time_json(info.next, zone);
  object["problem"] = info.problem;
  return object;
}

// Of one schedule; a list would be as large as all of them.
void add_data(json::object& object, const ScheduleDefinition& definition) {
  object["data"] = definition.data ? json::value(*definition.data) : json::value(nullptr);
}

json::object firing_json(const FiringInfo& firing, const TimeZone& zone) {
  json::object object;
  object["time"] = time_json(firing.time, zone);
  object["outcome"] = to_string(firing.outcome);
  object["count"] = firing.count;
  object["latenessMs"] = nullptr;
  if (firing.decided && firing.outcome == events::Outcome::fired)
    object["latenessMs"] = (*firing.decided - firing.time).count();
  object["event"] = firing.event;
  object["state"] = firing.state;
  object["finished"] = time_json(firing.finished, zone);
  object["error"] = firing.error;
  return object;
}

// Thousands of them would hold up the loop: they are written down beside it.
// Beside what `reply` holds already.
Task<Answer> answer_list(Services& services, const Exchange& exchange, std::string function,
                         json::object reply = {}) {
  auto infos = co_await services.scheduler.list(std::move(function));
  if (!infos) co_return fail(std::move(infos.error()));
  std::erase_if(*infos, [&exchange](const Scheduler::Info& info) {
    return !exchange.may_see(info.schedule.definition.function);
  });
  auto write = [infos = std::move(*infos), reply = std::move(reply)]() mutable {
    json::array schedules;
    for (const auto& info : infos)
      schedules.push_back(schedule_json(info, zone_of(info.schedule.definition)));
    reply["schedules"] = std::move(schedules);
    return json_response(200, reply);
  };
  co_return co_await run_blocking(services.disk, std::move(write));
}

json::array changes_json(const Scheduler::Changes& changes) {
  json::array array;
  for (const auto& [name, change] : changes)
    array.push_back({{"name", name}, {"change", to_string(change)}});
  return array;
}

// "nightly added, hourly removed"
std::string note_of(const Scheduler::Changes& changes) {
  std::string note;
  for (const auto& [name, change] : changes)
    note += fmt::format("{}{} {}", note.empty() ? "" : ", ", name, to_string(change));
  return note;
}

// ---- reading

Result<Done> check_members(const json::object& body) {
  constexpr std::array<std::string_view, 9> kKnown = {
      "name", "cron", "timezone", "overlap", "misfire", "jitter", "data", "from", "until"};
  for (const auto& member : body) {
    if (std::ranges::find(kKnown, std::string_view(member.key())) == kKnown.end()) {
      return fail(
          ErrorCode::invalid,
          "a schedule has no \"{}\"; it has name, cron, timezone, overlap, misfire, jitter, "
          "data, from and until",
          std::string_view(member.key()));
    }
  }
  return Done{};
}

Result<Done> read_policies(const json::object& body, ScheduleDefinition& definition) {
  auto overlap = text_member(body, "overlap");
  if (!overlap) return fail(std::move(overlap.error()));
  if (*overlap) {
    const auto known = events::parse_overlap(**overlap);
    if (!known)
      return fail(ErrorCode::invalid, "overlap is skip, allow or queue, not \"{}\"", **overlap);
    definition.overlap = *known;
  }
  auto misfire = text_member(body, "misfire");
  if (!misfire) return fail(std::move(misfire.error()));
  if (*misfire) {
    const auto known = events::parse_misfire(**misfire);
    if (!known)
      return fail(ErrorCode::invalid, "misfire is skip, once or all, not \"{}\"", **misfire);
    definition.misfire = *known;
  }
  return Done{};
}

// from, until: after the time zone, by whose clock they are.
Result<Done> read_limits(const json::object& body, ScheduleDefinition& definition) {
  auto zone = TimeZone::find(definition.zone);
  if (!zone) return fail(std::move(zone.error()));
  const auto read = [&](const char* name, events::DayEdge edge,
                        std::optional<WallTime>& into) -> Result<Done> {
    auto text = text_member(body, name);
    if (!text) return fail(std::move(text.error()));
    if (!*text) return Done{};
    auto time = events::parse_moment(**text, *zone, edge);
    if (!time) return fail(std::move(time.error()), "{}", name);
    into = *time;
    return Done{};
  };
  auto good = read("from", events::DayEdge::begin, definition.from);
  if (good) good = read("until", events::DayEdge::end, definition.until);
  return good;
}

Result<ScheduleDefinition> read_definition(const json::object& body) {
  ScheduleDefinition definition;
  if (auto good = check_members(body); !good) return fail(std::move(good.error()));
  auto name = text_member(body, "name");
  if (!name) return fail(std::move(name.error()));
  definition.name = name->value_or("default");
  auto expression = text_member(body, "cron");
  if (!expression) return fail(std::move(expression.error()));
  if (!*expression) {
    return fail(ErrorCode::invalid, "a schedule needs an expression: \"cron\", such as 0 * * * *");
  }
  definition.expression = std::move(**expression);
  auto zone = text_member(body, "timezone");
  if (!zone) return fail(std::move(zone.error()));
  if (*zone) definition.zone = std::move(**zone);
  auto jitter = text_member(body, "jitter");
  if (!jitter) return fail(std::move(jitter.error()));
  if (*jitter) {
    auto duration = events::parse_duration(**jitter);
    if (!duration) return fail(std::move(duration.error()), "jitter");
    definition.jitter = *duration;
  }
  auto data = text_member(body, "data");
  if (!data) return fail(std::move(data.error()));
  if (*data) {
    if (auto good = check_json_member("data", **data); !good) return fail(std::move(good.error()));
    definition.data = std::move(**data);
  }
  auto good = read_policies(body, definition);
  if (good) good = read_limits(body, definition);
  if (!good) return fail(std::move(good.error()));
  return definition;
}

Result<std::vector<ScheduleDefinition>> read_list(const json::object& body) {
  const auto* list = body.if_contains("schedules");
  if (list == nullptr || !list->is_array())
    return fail(ErrorCode::invalid, "the body must be {{\"schedules\": [...]}}");
  if (list->get_array().size() > events::kMostSchedules) {
    return fail(ErrorCode::invalid, "{} schedules are more than a function can have ({})",
                list->get_array().size(), events::kMostSchedules);
  }
  std::vector<ScheduleDefinition> definitions;
  for (const auto& item : list->get_array()) {
    if (!item.is_object()) return fail(ErrorCode::invalid, "a schedule must be an object");
    auto definition = read_definition(item.get_object());
    if (!definition) {
      const auto name = text_member(item.get_object(), "name");
      return fail(std::move(definition.error()), "schedule \"{}\"",
                  name ? name->value_or("default") : "");
    }
    definitions.push_back(std::move(*definition));
  }
  return definitions;
}

Task<Result<std::vector<ScheduleDefinition>>> read_list(Services& services, json::object body) {
  auto read = [body = std::move(body)] { return read_list(body); };
  co_return co_await run_blocking(services.disk, std::move(read));
}

// What the schedules of a request would come to; on a thread that may be held up.
Result<json::array> checked_list(const Scheduler& scheduler, const json::object& body) {
  auto definitions = read_list(body);
  if (!definitions) return fail(std::move(definitions.error()));
  if (auto good = scheduler.check(*definitions); !good) return fail(std::move(good.error()));
  json::array checked;
  for (const auto& definition : *definitions) {
    json::object one;
    one["name"] = definition.name;
    one["times"] = times_json(scheduler.times(definition, kTimesOfCheck), zone_of(definition));
    checked.push_back(std::move(one));
  }
  return checked;
}

Task<Answer> set_paused(Services& services, Exchange& exchange, bool paused) {
  auto function = known_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  auto info =
      co_await services.scheduler.set_paused(std::move(*function), exchange.captures.at(1), paused);
  if (!info) co_return fail(std::move(info.error()));
  auto object = schedule_json(*info, zone_of(info->schedule.definition));
  add_data(object, info->schedule.definition);
  co_return json_response(200, object);
}

}  // namespace

Task<Answer> list_schedules(Services& services, Exchange& exchange) {
  co_return co_await answer_list(services, exchange, "");
}

Task<Answer> list_function_schedules(Services& services, Exchange& exchange) {
  auto function = known_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  co_return co_await answer_list(services, exchange, std::move(*function));
}

Task<Answer> check_schedules(Services& services, Exchange& exchange) {
  auto body = co_await read_object(services, exchange, kLargestScheduleList);
  if (!body) co_return fail(std::move(body.error()));
  auto look = [&scheduler = services.scheduler, body = std::move(*body)] {
    return checked_list(scheduler, body);
  };
  auto checked = co_await run_blocking(services.disk, std::move(look));
  if (!checked) co_return fail(std::move(checked.error()));
  co_return json_response(200, json::object{{"schedules", std::move(*checked)}});
}

Task<Result<Done>> check_declared_schedules(Services& services, std::string function,
                                            json::object body) {
  auto definitions = co_await read_list(services, std::move(body));
  if (!definitions) co_return fail(std::move(definitions.error()));
  co_return co_await services.scheduler.check_declared(std::move(function),
                                                       std::move(*definitions));
}

Task<Answer> declare_schedules(Services& services, Exchange& exchange) {
  auto function = known_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  auto body = co_await read_object(services, exchange, kLargestScheduleList);
  if (!body) co_return fail(std::move(body.error()));
  auto definitions = co_await read_list(services, std::move(*body));
  if (!definitions) co_return fail(std::move(definitions.error()));
  auto declared = co_await services.scheduler.declare(*function, std::move(*definitions));
  if (!declared) co_return fail(std::move(declared.error()));
  exchange.note = note_of(*declared);
  json::object reply;
  reply["changes"] = changes_json(*declared);
  co_return co_await answer_list(services, exchange, std::move(*function), std::move(reply));
}

Task<Answer> get_schedule(Services& services, Exchange& exchange) {
  auto function = known_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  auto shown = co_await services.scheduler.show(std::move(*function), exchange.captures.at(1),
                                                kTimesShown, kFiringsShown);
  if (!shown) co_return fail(std::move(shown.error()));
  const auto zone = zone_of(shown->info.schedule.definition);
  auto object = schedule_json(shown->info, zone);
  add_data(object, shown->info.schedule.definition);
  object["times"] = times_json(shown->times, zone);
  json::array firings;
  for (const auto& firing : shown->firings) firings.push_back(firing_json(firing, zone));
  object["firings"] = std::move(firings);
  co_return json_response(200, object);
}

Task<Answer> put_schedule(Services& services, Exchange& exchange) {
  auto function = known_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  auto body = co_await read_object(services, exchange, 2 * events::kMaxEventBytes);
  if (!body) co_return fail(std::move(body.error()));
  const auto& name = exchange.captures.at(1);
  auto definition = read_definition(*body);
  if (!definition) co_return fail(std::move(definition.error()));
  const auto named = text_member(*body, "name");
  if (named && *named && **named != name) {
    co_return fail(ErrorCode::invalid,
                   "the path names the schedule \"{}\" and the body \"{}\": leave the body's name "
                   "away, or write the same",
                   name, **named);
  }
  definition->function = std::move(*function);
  definition->name = name;
  exchange.note = fmt::format("{}: {} {}", name, definition->expression, definition->zone);
  auto saved = co_await services.scheduler.save(std::move(*definition));
  if (!saved) co_return fail(std::move(saved.error()));
  const auto zone = zone_of(saved->info.schedule.definition);
  auto object = schedule_json(saved->info, zone);
  add_data(object, saved->info.schedule.definition);
  object["times"] = times_json(saved->times, zone);
  object["replaced"] = nullptr;
  if (saved->replaced) {
    const auto& before = saved->replaced->definition;
    add_definition(object["replaced"].emplace_object(), before, zone_of(before));
  }
  co_return json_response(200, object);
}

Task<Answer> delete_schedule(Services& services, Exchange& exchange) {
  auto function = known_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  auto removed = co_await services.scheduler.remove(std::move(*function), exchange.captures.at(1));
  if (!removed) co_return fail(std::move(removed.error()));
  co_return http::Response(204);
}

Task<Answer> pause_schedule(Services& services, Exchange& exchange) {
  co_return co_await set_paused(services, exchange, true);
}

Task<Answer> resume_schedule(Services& services, Exchange& exchange) {
  co_return co_await set_paused(services, exchange, false);
}

Task<Answer> run_schedule(Services& services, Exchange& exchange) {
  auto function = known_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  auto event = co_await services.scheduler.run_now(std::move(*function), exchange.captures.at(1));
  if (!event) co_return fail(std::move(event.error()));
  co_return json_response(200, json::object{{"event", std::move(*event)}});
}

}  // namespace lambda::api
