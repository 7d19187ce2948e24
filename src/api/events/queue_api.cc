#include "api/events/queue_api.h"

#include "api/json_check.h"
#include "api/time_json.h"

#include <charconv>
#include <utility>

namespace lambda::api {
namespace {

namespace json = boost::json;
using events::EventInfo;
using events::EventState;

constexpr std::size_t kMostEvents = 1'000;

json::object event_json(const EventInfo& event) {
  json::object object;
  object["id"] = event.id;
  object["function"] = event.function;
  object["qualifier"] = event.qualifier;
  object["state"] = to_string(event.state);
  object["source"] = to_string(event.source);
  object["accepted"] = time_json(event.accepted);
  object["due"] = time_json(event.due);
  object["finished"] = time_json(event.finished);
  object["failedAttempts"] = event.attempts;
  object["throttles"] = event.throttles;
  object["errorType"] = event.error_type;
  object["errorMessage"] = event.error_message;
  object["executedVersion"] = event.executed_version;
  object["payloadSize"] = event.payload_size;
  object["url"] = event.url;
  return object;
}

Result<EventState> wanted_state(const Exchange& exchange) {
  const auto text = exchange.request.query_value("state").value_or("dead");
  if (const auto state = events::parse_event_state(text)) return *state;
  return fail(ErrorCode::invalid, "state must be waiting, running, succeeded or dead, not \"{}\"",
              text);
}

Result<std::size_t> wanted_limit(const Exchange& exchange) {
  const auto text = exchange.request.query_value("limit").value_or("50");
  std::size_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error == std::errc() && end == text.data() + text.size() && limit > 0 &&
      limit <= kMostEvents) {
    return limit;
  }
  return fail(ErrorCode::invalid, "limit must be a number from 1 to {}, not \"{}\"", kMostEvents,
              text);
}

}  // namespace

Task<Answer> get_queue(Services& services, Exchange& exchange) {
  std::string function;
  if (const auto wanted = exchange.request.query_value("function")) {
    auto known = known_function(services, exchange, *wanted);
    if (!known) co_return fail(std::move(known.error()));
    function = std::move(*known);
  }
  auto depths = co_await services.events.depths(std::move(function));
  if (!depths) co_return fail(std::move(depths.error()));
  json::array functions;
  for (const auto& depth : *depths) {
    if (!exchange.may_see(depth.function)) continue;
    json::object object;
    object["name"] = depth.function;
    object["waiting"] = depth.waiting;
    object["running"] = depth.running;
    object["retrying"] = depth.retrying;
    object["dead"] = depth.dead;
    object["oldest"] = time_json(depth.oldest);
    functions.push_back(std::move(object));
  }
  co_return json_response(200, json::object{{"functions", std::move(functions)}});
}

Task<Answer> list_events(Services& services, Exchange& exchange) {
  auto function = known_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  auto state = wanted_state(exchange);
  if (!state) co_return fail(std::move(state.error()));
  auto limit = wanted_limit(exchange);
  if (!limit) co_return fail(std::move(limit.error()));
  events::EventTable::Listing listing;
  listing.function = std::move(*function);
  listing.state = *state;
  listing.limit = *limit;
  listing.before = exchange.request.query_value("before").value_or("");
  auto found = co_await services.events.list(std::move(listing));
  if (!found) co_return fail(std::move(found.error()));
  json::array shown;
  for (const auto& event : *found) shown.push_back(event_json(event));
  co_return json_response(200, json::object{{"events", std::move(shown)}});
}

Task<Answer> purge_events(Services& services, Exchange& exchange) {
  auto function = known_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  auto state = wanted_state(exchange);
  if (!state) co_return fail(std::move(state.error()));
  if (*state != EventState::waiting && *state != EventState::dead)
    co_return fail(ErrorCode::invalid, "only waiting and dead events can be purged");
  auto removed = co_await services.events.purge(std::move(*function), *state);
  if (!removed) co_return fail(std::move(removed.error()));
  exchange.note = fmt::format("{} {} events", *removed, to_string(*state));
  co_return json_response(200, json::object{{"removed", *removed}});
}

Task<Answer> redrive_events(Services& services, Exchange& exchange) {
  auto function = known_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  auto body = co_await read_object(services, exchange);
  if (!body) co_return fail(std::move(body.error()));
  if (!body->empty()) {
    co_return fail(
        ErrorCode::invalid,
        "all dead events of \"{}\" are redriven as they are, so the body must be {{}} or "
        "nothing; another payload is for one event: POST /_lambda/events/ID/redrive",
        *function);
  }
  auto redriven = co_await services.events.redrive_all(std::move(*function));
  if (!redriven) co_return fail(std::move(redriven.error()));
  exchange.note = fmt::format("{} events", *redriven);
  co_return json_response(200, json::object{{"redriven", *redriven}});
}

Task<Answer> get_webhook_secret(Services& services, Exchange& exchange) {
  auto function = known_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  auto secret = services.events.webhook_secret(*function);
  if (!secret) co_return fail(std::move(secret.error()));
  http::Response response = json_response(200, json::object{{"secret", std::move(*secret)}});
  response.headers.add("Cache-Control", "no-store");
  co_return response;
}

Task<Answer> get_event(Services& services, Exchange& exchange) {
  auto event = co_await services.events.find(exchange.captures.at(0));
  if (!event) co_return fail(std::move(event.error()));
  co_return json_response(200, event_json(*event));
}

Task<Answer> get_event_payload(Services& services, Exchange& exchange) {
  auto payload = co_await services.events.payload(exchange.captures.at(0));
  if (!payload) co_return fail(std::move(payload.error()));
  co_return http::Response(200, "application/json", std::move(*payload));
}

Task<Answer> get_event_result(Services& services, Exchange& exchange) {
  auto ended = co_await services.events.result(exchange.captures.at(0));
  if (!ended) co_return fail(std::move(ended.error()));
  http::Response response(200, "application/json", std::move(ended->payload));
  response.headers.add("X-Lambda-Event-State", std::string(to_string(ended->event.state)));
  if (!ended->event.executed_version.empty())
    response.headers.add("X-Amz-Executed-Version", ended->event.executed_version);
  if (ended->event.state == EventState::dead)
    response.headers.add("X-Amz-Function-Error", "Unhandled");
  co_return response;
}

Task<Answer> cancel_event(Services& services, Exchange& exchange) {
  auto done = co_await services.events.cancel(exchange.captures.at(0));
  if (!done) co_return fail(std::move(done.error()));
  co_return http::Response(204);
}

Task<Answer> redrive_event(Services& services, Exchange& exchange) {
  auto body = co_await http::read_all(exchange.body, events::kMaxEventBytes);
  if (!body) co_return fail(std::move(body.error()));
  std::optional<std::string> payload;
  if (!body->empty()) {
    if (auto good = check_json(*body); !good) co_return fail(std::move(good.error()));
    payload = std::move(*body);
  }
  auto done = co_await services.events.redrive(exchange.captures.at(0), std::move(payload));
  if (!done) co_return fail(std::move(done.error()));
  co_return http::Response(204);
}

}  // namespace lambda::api
