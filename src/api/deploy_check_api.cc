#include "api/deploy_check_api.h"

#include "api/deploy_request.h"
#include "api/events/invoke_config_api.h"
#include "api/events/schedule_api.h"

#include <utility>

namespace lambda::api {
namespace {

namespace json = boost::json;

Result<Done> check_settings(Services& services, const Exchange& exchange,
                            const json::object& body) {
  auto settings = object_member(body, "settings");
  if (!settings) return fail(std::move(settings.error()));
  if (*settings == nullptr) return Done{};
  auto request = admit_deploy_request(exchange, **settings);
  if (!request) return fail(std::move(request.error()));
  return services.deployer.check(*request);
}

Result<Done> check_events(Services& services, const Exchange& exchange, const json::object& body) {
  auto events = object_member(body, "events");
  if (!events) return fail(std::move(events.error()));
  if (*events == nullptr) return Done{};
  return check_event_invoke_config(services, exchange, exchange.captures.at(0), **events);
}

}  // namespace

Task<Answer> check_deploy(Services& services, Exchange& exchange) {
  auto body = co_await read_object(services, exchange, kLargestScheduleList);
  if (!body) co_return fail(std::move(body.error()));
  const auto& name = exchange.captures.at(0);
  // Megabytes of tags are read through beside the loop.
  auto check = [&services, &exchange, &body] {
    auto fits = check_settings(services, exchange, *body);
    return fits ? check_events(services, exchange, *body) : fits;
  };
  auto good = co_await run_blocking(services.disk, std::move(check));
  if (!good) co_return fail(std::move(good.error()));
  if (body->contains("schedules")) {
    good = co_await check_declared_schedules(services, name, std::move(*body));
    if (!good) co_return fail(std::move(good.error()));
  }
  co_return json_response(200, json::object());
}

}  // namespace lambda::api
