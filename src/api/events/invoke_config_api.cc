#include "api/events/invoke_config_api.h"

#include "api/function_name.h"
#include "api/paging.h"
#include "events/queue/attempt.h"
#include "function/validation.h"

#include <climits>

#include <utility>
#include <vector>

namespace lambda::api {
namespace {

namespace json = boost::json;
using events::InvokeConfig;

// The function, and the qualifier that the configuration is for.
struct ConfigSubject {
  std::string function;
  std::string qualifier;
  std::string arn;
};

Result<ConfigSubject> subject_of(Services& services, const Exchange& exchange) {
  auto name = exchange.function_name(services);
  if (!name) return fail(std::move(name.error()));
  auto found = services.catalog.resolve(name->name, name->qualifier);
  if (!found) return fail(std::move(found.error()));
  ConfigSubject subject;
  subject.function = found->function->name;
  subject.qualifier = name->qualifier.empty() ? "$LATEST" : name->qualifier;
  subject.arn = services.catalog.function_arn(subject.function, subject.qualifier);
  return subject;
}

tl::unexpected<Error> no_config(const ConfigSubject& subject) {
  return fail(ErrorCode::not_found, "The function {} doesn't have an EventInvokeConfig",
              subject.arn);
}

json::object destination_json(const std::string& address) {
  json::object object;
  if (!address.empty()) object["Destination"] = address;
  return object;
}

json::object config_json(const std::string& arn, const InvokeConfig& config) {
  json::object object;
  object["LastModified"] = static_cast<double>(config.modified.time_since_epoch().count()) / 1000;
  object["FunctionArn"] = arn;
  if (config.max_retries) object["MaximumRetryAttempts"] = *config.max_retries;
  if (config.max_age_seconds) object["MaximumEventAgeInSeconds"] = *config.max_age_seconds;
  json::object destinations;
  destinations["OnSuccess"] = destination_json(config.on_success);
  destinations["OnFailure"] = destination_json(config.on_failure);
  object["DestinationConfig"] = std::move(destinations);
  return object;
}

// One of OnSuccess and OnFailure: absent leaves it as it is, {} empties it. A function must be one
// of the caller's: it will be called.
Result<Done> read_destination(Services& services, const Exchange& exchange,
                              const ConfigSubject& subject, const json::object& destinations,
                              std::string_view name, std::string& address) {
  auto given = object_member(destinations, name);
  if (!given) return fail(std::move(given.error()));
  if (*given == nullptr) return Done{};
  auto text = text_member(**given, "Destination");
  if (!text) return fail(std::move(text.error()));
  auto wanted = text->value_or("");
  if (!wanted.empty()) {
    auto destination = services.events.destination(wanted);
    if (!destination) return fail(std::move(destination.error()), "{}", name);
    if (destination->url.empty() && destination->function == subject.function) {
      return fail(ErrorCode::invalid,
                  "You can't specify the function as a destination for itself.");
    }
    if (destination->url.empty()) {
      auto may = exchange.authorize(services, destination->function);
      if (!may) return may;
    }
  }
  address = std::move(wanted);
  return Done{};
}

Result<InvokeConfig> apply(Services& services, const Exchange& exchange,
                           const ConfigSubject& subject, InvokeConfig config,
                           const json::object& body) {
  auto retries = number_member(body, "MaximumRetryAttempts");
  if (!retries) return fail(std::move(retries.error()));
  auto age = number_member(body, "MaximumEventAgeInSeconds");
  if (!age) return fail(std::move(age.error()));
  auto destinations = object_member(body, "DestinationConfig");
  if (!destinations) return fail(std::move(destinations.error()));
  if (!*retries && !*age && *destinations == nullptr) {
    return fail(ErrorCode::invalid,
                "You must specify at least one of error handling or destination setting.");
  }
  function::ValidationErrors errors;
  if (*retries) errors.check_range("maximumRetryAttempts", **retries, 0, 2);
  if (*age) errors.check_range("maximumEventAgeInSeconds", **age, 60, 21'600);
  if (auto good = errors.result(); !good) return fail(std::move(good.error()));
  if (*retries) config.max_retries = static_cast<int>(**retries);
  if (*age) config.max_age_seconds = static_cast<int>(**age);
  if (*destinations != nullptr) {
    auto read = read_destination(services, exchange, subject, **destinations, "OnSuccess",
                                 config.on_success);
    if (read) {
      read = read_destination(services, exchange, subject, **destinations, "OnFailure",
                              config.on_failure);
    }
    if (!read) return fail(std::move(read.error()));
  }
  config.modified = services.clock.now();
  return config;
}

// For the audit: what was set, and which functions get results from then on. A webhook's address
// may hold what only its receiver is to know.
std::string note_of(const Services& services, const json::object& body,
                    const InvokeConfig& config) {
  auto note = member_names(body);
  if (!body.contains("DestinationConfig")) return note;
  for (const auto& [when, address] :
       {std::pair{"OnSuccess", &config.on_success}, std::pair{"OnFailure", &config.on_failure}}) {
    if (address->empty()) continue;
    const auto destination = services.events.destination(*address);
    const bool calls = destination && destination->url.empty();
    note += fmt::format("; {} {}", when, calls ? destination->function : "a webhook");
  }
  return note;
}

Task<Answer> store_config(Services& services, Exchange& exchange, bool merge) {
  auto subject = subject_of(services, exchange);
  if (!subject) co_return fail(std::move(subject.error()));
  auto body = co_await read_object(services, exchange);
  if (!body) co_return fail(std::move(body.error()));
  exchange.note = member_names(*body);
  std::optional<InvokeConfig> before;
  if (merge) before = services.events.configs().find(subject->function, subject->qualifier);
  if (merge && !before) co_return no_config(*subject);
  auto config = apply(services, exchange, *subject, before.value_or(InvokeConfig()), *body);
  if (!config) co_return fail(std::move(config.error()));
  exchange.note = note_of(services, *body, *config);
  auto stored = co_await services.events.configure(subject->function, subject->qualifier, *config);
  if (!stored) co_return fail(std::move(stored.error()));
  co_return json_response(200, config_json(subject->arn, *config));
}

}  // namespace

Task<Answer> put_event_invoke_config(Services& services, Exchange& exchange) {
  co_return co_await store_config(services, exchange, false);
}

Task<Answer> update_event_invoke_config(Services& services, Exchange& exchange) {
  co_return co_await store_config(services, exchange, true);
}

Result<Done> check_event_invoke_config(Services& services, const Exchange& exchange,
                                       const std::string& function, const json::object& body) {
  ConfigSubject subject;
  subject.function = function;
  auto config = apply(services, exchange, subject, {}, body);
  if (!config) return fail(std::move(config.error()));
  return Done{};
}

Task<Answer> get_event_invoke_config(Services& services, Exchange& exchange) {
  auto subject = subject_of(services, exchange);
  if (!subject) co_return fail(std::move(subject.error()));
  const auto config = services.events.configs().find(subject->function, subject->qualifier);
  if (!config) co_return no_config(*subject);
  co_return json_response(200, config_json(subject->arn, *config));
}

Task<Answer> delete_event_invoke_config(Services& services, Exchange& exchange) {
  auto subject = subject_of(services, exchange);
  if (!subject) co_return fail(std::move(subject.error()));
  if (!services.events.configs().find(subject->function, subject->qualifier))
    co_return no_config(*subject);
  auto removed =
      co_await services.events.configure(subject->function, subject->qualifier, std::nullopt);
  if (!removed) co_return fail(std::move(removed.error()));
  co_return http::Response(204);
}

Task<Answer> list_event_invoke_configs(Services& services, Exchange& exchange) {
  auto name = exchange.unqualified_name(services);
  if (!name) co_return fail(std::move(name.error()));
  auto found = services.catalog.resolve(name->name, "");
  if (!found) co_return fail(std::move(found.error()));
  const auto known = services.events.configs().list(name->name);
  std::vector<std::string> qualifiers;
  for (const auto& [qualifier, config] : known) qualifiers.push_back(qualifier);
  const auto page = page_of(exchange.request, qualifiers, kPageSize);
  if (!page) co_return fail(Error(page.error()));
  json::array configs;
  for (auto i = page->begin; i < page->end; ++i) {
    const auto& qualifier = qualifiers[i];
    configs.push_back(
        config_json(services.catalog.function_arn(name->name, qualifier), known.at(qualifier)));
  }
  json::object reply{{"FunctionEventInvokeConfigs", std::move(configs)}};
  if (!page->next.empty()) reply["NextMarker"] = page->next;
  co_return json_response(200, reply);
}

Task<Answer> get_event_settings(Services& services, Exchange& exchange) {
  auto function = known_function(services, exchange);
  if (!function) co_return fail(std::move(function.error()));
  const auto found = services.events.configs().in_effect(*function);
  const auto config = found ? found->config : InvokeConfig();
  const auto rules = events::rules_for(services.events.retry_rules(), config);
  json::array standard;
  if (!config.max_retries) standard.emplace_back("retries");
  if (!config.max_age_seconds) standard.emplace_back("maxAge");
  json::object reply;
  reply["of"] = found ? json::value(found->qualifier) : json::value(nullptr);
  reply["retries"] = rules.max_retries;
  reply["maxAge"] = rules.max_age.count();
  reply["onSuccess"] = config.on_success;
  reply["onFailure"] = config.on_failure;
  reply["standard"] = std::move(standard);
  co_return json_response(200, reply);
}

}  // namespace lambda::api
