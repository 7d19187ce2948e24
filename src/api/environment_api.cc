#include "api/environment_api.h"

#include "api/own_api.h"
#include "function/secret_users.h"
#include "function/variable_change.h"

#include <algorithm>
#include <utility>

namespace lambda::api {
namespace {

namespace json = boost::json;

json::array variables_json(const Services& services, const function::Version& version,
                           bool values) {
  json::array variables;
  if (!version.configuration.environment) return variables;
  for (const auto& [name, value] : *version.configuration.environment) {
    json::object variable;
    variable["name"] = name;
    variable["digest"] = services.secrets.digest(version.function, name, value);
    if (values) variable["value"] = value;
    variables.push_back(std::move(variable));
  }
  return variables;
}

// What it gets beside them; one that does not exist has no digest.
json::array secrets_json(const Services& services, const function::Version& version) {
  json::array shown;
  const auto add = [&shown](const function::Secret& secret) {
    json::object object;
    object["name"] = secret.name;
    object["as"] = function::to_string(secret.form);
    object["shared"] = secret.function.empty();
    object["digest"] = secret.digest;
    shown.push_back(std::move(object));
  };
  auto asked = version.configuration.secrets;
  for (auto at = asked.begin(); at != asked.end();) {
    if (services.secrets.secrets_for(version.function, {*at})) {
      ++at;
      continue;
    }
    function::Secret missing;
    missing.name = at->first;
    missing.form = at->second.value_or(missing.form);
    add(missing);
    at = asked.erase(at);
  }
  if (const auto there = services.secrets.secrets_for(version.function, asked)) {
    for (const auto& secret : *there) add(secret);
  }
  return shown;
}

Result<deploy::EnvironmentChange> read_change(std::string function, const json::object& body) {
  deploy::EnvironmentChange change;
  change.function = std::move(function);
  auto set = texts_member(body, "set");
  if (!set) return fail(std::move(set.error()));
  if (*set) change.set = std::move(**set);
  auto unset = list_member(body, "unset");
  if (!unset) return fail(std::move(unset.error()));
  if (*unset) change.unset = std::move(**unset);
  if (change.set.empty() && change.unset.empty())
    return fail(ErrorCode::invalid, "there is nothing to change: give set or unset");
  return change;
}

}  // namespace

Task<Answer> get_environment(Services& services, Exchange& exchange) {
  auto name = known_function(services, exchange);
  if (!name) co_return fail(std::move(name.error()));
  const auto wanted = exchange.request.query_value("values");
  if (wanted && *wanted != "true" && *wanted != "false")
    co_return fail(ErrorCode::invalid, "values must be true or false, not \"{}\"", *wanted);
  const auto snapshot = services.catalog.snapshot();
  const auto found = snapshot->functions.find(*name);
  if (found == snapshot->functions.end()) co_return no_function(services, exchange, *name);
  const auto& function = *found->second;
  const auto version = function.answering();
  json::object reply;
  reply["version"] = version->label();
  reply["variables"] = variables_json(services, *version, wanted == "true");
  reply["secrets"] = secrets_json(services, *version);
  reply["latestDiffers"] =
      function.latest->configuration.environment != version->configuration.environment;
  co_return json_response(200, reply);
}

Task<Answer> change_environment(Services& services, Exchange& exchange) {
  auto name = known_function(services, exchange);
  if (!name) co_return fail(std::move(name.error()));
  auto body = co_await read_object(services, exchange);
  if (!body) co_return fail(std::move(body.error()));
  auto change = read_change(std::move(*name), *body);
  if (!change) co_return fail(std::move(change.error()));
  function::VariableChange wanted;
  for (const auto& [variable, value] : change->set) wanted.set.push_back(variable);
  wanted.unset = change->unset;
  exchange.note = wanted.text();
  auto report = co_await services.deployer.change_environment(std::move(*change));
  if (!report) co_return fail(std::move(report.error()));
  const auto& version = *report->version;
  exchange.note = report->unchanged
                      ? fmt::format("as version {} already", version.label())
                      : fmt::format("version {}: {}", version.label(), report->variables.text());
  json::object reply;
  reply["version"] = version.label();
  reply["unchanged"] = report->unchanged;
  if (report->shared) reply["shared"] = share_json(*report->shared);
  reply["latestKept"] = report->draft_kept;
  reply["initMicroseconds"] = report->init.count();
  reply["variables"] = variables_json(services, version, false);
  json::array hidden;
  const auto secrets =
      services.secrets.secrets_for(version.function, version.configuration.secrets);
  if (secrets) {
    for (const auto& variable : function::hidden_variables(version.configuration, *secrets))
      hidden.emplace_back(variable);
  }
  reply["hiddenBySecrets"] = std::move(hidden);
  co_return json_response(200, reply);
}

}  // namespace lambda::api
