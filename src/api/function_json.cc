#include "api/function_json.h"

#include "api/operation.h"
#include "base/time_text.h"

namespace lambda::api {
namespace {

namespace json = boost::json;

void add_if(json::object& object, std::string_view key, const std::string& text) {
  if (!text.empty()) object[key] = text;
}

// Fields that are kept for AWS's clients and change nothing here; the defaults are AWS's.
void add_echoed(json::object& object, const function::Configuration& configuration,
                const std::string& name) {
  object["TracingConfig"] = {{"Mode", "PassThrough"}};
  object["SnapStart"] = {{"ApplyOn", "None"}, {"OptimizationStatus", "Off"}};
  object["LoggingConfig"] = {{"LogFormat", "Text"}, {"LogGroup", "/aws/lambda/" + name}};
  for (const auto& [field, text] : configuration.echoed) {
    boost::system::error_code error;
    auto value = json::parse(text, error);
    if (error) continue;
    const auto* given = value.if_object();
    auto* standard = object.contains(field) ? object[field].if_object() : nullptr;
    if (given != nullptr && standard != nullptr) {
      for (const auto& [key, item] : *given) (*standard)[key] = item;
    } else {
      object[field] = std::move(value);
    }
  }
}

json::object environment_json(const std::map<std::string, std::string>& environment,
                              bool with_values, const access::Caller& caller) {
  if (with_values) {
    json::object variables;
    for (const auto& [name, value] : environment) variables[name] = value;
    return {{"Variables", std::move(variables)}};
  }
  const auto why = fmt::format(
      "User: {} is not authorized to see environment variables: the key \"{}\" has the scope {}, "
      "and "
      "this needs deploy",
      caller.user_arn, caller.name, caller.grants.scopes().text());
  return {{"Error", {{"ErrorCode", "AccessDeniedException"}, {"Message", why}}}};
}

void add_image_config(json::object& object, const function::ImageConfig& config) {
  json::object image;
  if (!config.entry_point.empty())
    image["EntryPoint"] = json::array(config.entry_point.begin(), config.entry_point.end());
  if (!config.command.empty())
    image["Command"] = json::array(config.command.begin(), config.command.end());
  add_if(image, "WorkingDirectory", config.working_directory);
  object["ImageConfigResponse"] = {{"ImageConfig", std::move(image)}};
}

}  // namespace

std::string aws_time(WallTime time) {
  return format_iso(time) + "+0000";
}

json::object configuration_json(const Services& services, const Exchange& exchange,
                                const function::Version& version, bool qualified) {
  const auto& configuration = version.configuration;
  json::object object;
  object["FunctionName"] = version.function;
  object["FunctionArn"] = services.catalog.function_arn(
      version.function, version.is_latest() && !qualified ? "" : version.label());
  if (configuration.package_type == function::PackageType::zip) {
    object["Runtime"] = configuration.runtime;
    object["Handler"] = configuration.handler;
  }
  object["Role"] = configuration.role;
  object["CodeSize"] = version.code.size;
  object["Description"] = configuration.description;
  object["Timeout"] = configuration.timeout_seconds;
  object["MemorySize"] = configuration.memory_mb;
  object["LastModified"] = aws_time(version.last_modified);
  object["CodeSha256"] = version.code.sha256;
  object["Version"] = version.label();
  object["RevisionId"] = version.revision_id;
  object["PackageType"] = function::to_string(configuration.package_type);
  object["Architectures"] = json::array{configuration.architecture};
  object["EphemeralStorage"] = {{"Size", configuration.ephemeral_storage_mb}};
  object["State"] = function::to_string(version.state);
  add_if(object, "StateReason", version.state_reason);
  add_if(object, "StateReasonCode", version.state_reason_code);
  add_if(object, "LastUpdateStatus", std::string(function::to_string(version.last_update)));
  if (version.last_update == function::UpdateStatus::none &&
      version.state == function::State::active)
    object["LastUpdateStatus"] = "Successful";
  add_if(object, "LastUpdateStatusReason", version.last_update_reason);
  add_if(object, "LastUpdateStatusReasonCode", version.last_update_reason_code);
  if (configuration.environment) {
    object["Environment"] = environment_json(
        *configuration.environment, exchange.may_see_values(version.function), exchange.caller);
  }
  if (!configuration.dead_letter_target.empty())
    object["DeadLetterConfig"] = {{"TargetArn", configuration.dead_letter_target}};
  if (configuration.image_config) add_image_config(object, *configuration.image_config);
  add_echoed(object, configuration, version.function);
  return object;
}

json::object alias_json(const function::Catalog& catalog, std::string_view name,
                        const function::Alias& alias) {
  json::object object;
  object["AliasArn"] = catalog.function_arn(name, alias.name);
  object["Name"] = alias.name;
  object["FunctionVersion"] = alias.version == 0 ? "$LATEST" : std::to_string(alias.version);
  object["Description"] = alias.description;
  object["RevisionId"] = alias.revision_id;
  if (alias.additional) {
    json::object weights;
    weights[std::to_string(alias.additional->first)] = alias.additional->second;
    object["RoutingConfig"] = {{"AdditionalVersionWeights", std::move(weights)}};
  }
  return object;
}

}  // namespace lambda::api
