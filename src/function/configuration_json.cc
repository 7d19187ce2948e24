#include "function/configuration_json.h"

#include <boost/json.hpp>

namespace lambda::function {
namespace {

namespace json = boost::json;

json::object object_of(const std::map<std::string, std::string>& values) {
  json::object object;
  for (const auto& [name, value] : values) object[name] = value;
  return object;
}

std::map<std::string, std::string> map_of(const json::value& value) {
  std::map<std::string, std::string> values;
  for (const auto& [name, item] : value.as_object()) values.emplace(name, item.as_string());
  return values;
}

json::object references_json(const SecretReferences& references) {
  json::object object;
  for (const auto& [name, form] : references) {
    auto& value = object[name];
    if (form) value = to_string(*form);
  }
  return object;
}

SecretReferences references_of(const json::object& object) {
  SecretReferences references;
  for (const auto& [name, form] : object) {
    auto& into = references[std::string(name)];
    if (form.is_string()) into = parse_secret_form(form.get_string());
  }
  return references;
}

std::vector<std::string> strings_of(const json::value& value) {
  std::vector<std::string> strings;
  for (const auto& item : value.as_array()) strings.emplace_back(item.as_string());
  return strings;
}

void read_text(const json::object& object, std::string_view name, std::string& into) {
  if (const auto* value = object.if_contains(name)) into = value->as_string();
}

void read_number(const json::object& object, std::string_view name, int& into) {
  if (const auto* value = object.if_contains(name)) into = value->to_number<int>();
}

// Rows from before these members were: a zip has no EXPOSE, so everything was named. A handler
// whose port is known was made one in spite of EXPOSE, and an HTTP function without a port by its
// name.
void read_named(const json::object& object, Configuration& configuration) {
  const bool zip = configuration.package_type == PackageType::zip;
  const bool http = configuration.kind == Kind::http;
  const bool port = configuration.port.has_value();
  configuration.kind_named = zip ? http : http != port;
  configuration.port_named = zip && port;
  if (const auto* named = object.if_contains("kindNamed"))
    configuration.kind_named = named->as_bool();
  if (const auto* named = object.if_contains("portNamed"))
    configuration.port_named = named->as_bool();
}

// Throws where a member has another type than it was written with.
Configuration read(const json::object& object) {
  Configuration configuration;
  read_text(object, "runtime", configuration.runtime);
  read_text(object, "handler", configuration.handler);
  read_text(object, "role", configuration.role);
  read_text(object, "description", configuration.description);
  read_text(object, "architecture", configuration.architecture);
  read_text(object, "deadLetterTarget", configuration.dead_letter_target);
  read_number(object, "timeout", configuration.timeout_seconds);
  read_number(object, "memory", configuration.memory_mb);
  read_number(object, "ephemeralStorage", configuration.ephemeral_storage_mb);
  std::string word;
  read_text(object, "packageType", word);
  configuration.package_type = parse_package_type(word).value_or(PackageType::zip);
  word.clear();
  read_text(object, "kind", word);
  configuration.kind = parse_kind(word).value_or(Kind::handler);
  word.clear();
  read_text(object, "driver", word);
  configuration.driver = parse_driver(word);
  if (const auto* port = object.if_contains("port")) {
    configuration.port = port->to_number<std::uint16_t>();
  }
  if (const auto* concurrency = object.if_contains("concurrency")) {
    configuration.concurrency = concurrency->to_number<unsigned>();
  }
  if (const auto* idle = object.if_contains("idleTime"))
    configuration.idle_seconds = idle->to_number<int>();
  word.clear();
  read_text(object, "isolation", word);
  configuration.isolation = parse_isolation(word).value_or(Isolation::fork);
  if (const auto* egress = object.if_contains("egress")) configuration.egress = egress->as_string();
  if (const auto* least = object.if_contains("minInstances"))
    configuration.min_instances = least->to_number<unsigned>();
  if (const auto* cpu = object.if_contains("cpuThousandths"))
    configuration.cpu_thousandths = cpu->to_number<unsigned>();
  read_named(object, configuration);
  if (const auto* secrets = object.if_contains("secrets"))
    configuration.secrets = references_of(secrets->as_object());
  if (const auto* echoed = object.if_contains("echoed")) configuration.echoed = map_of(*echoed);
  if (const auto* image = object.if_contains("imageConfig")) {
    ImageConfig config;
    config.entry_point = strings_of(image->at("entryPoint"));
    config.command = strings_of(image->at("command"));
    config.working_directory = image->at("workingDirectory").as_string();
    configuration.image_config = std::move(config);
  }
  return configuration;
}

}  // namespace

std::string to_json(const Configuration& configuration, const EnvironmentSeal& seal) {
  json::object object;
  object["runtime"] = configuration.runtime;
  object["handler"] = configuration.handler;
  object["role"] = configuration.role;
  object["description"] = configuration.description;
  object["architecture"] = configuration.architecture;
  object["timeout"] = configuration.timeout_seconds;
  object["memory"] = configuration.memory_mb;
  object["ephemeralStorage"] = configuration.ephemeral_storage_mb;
  object["packageType"] = to_string(configuration.package_type);
  object["kind"] = to_string(configuration.kind);
  if (!configuration.dead_letter_target.empty())
    object["deadLetterTarget"] = configuration.dead_letter_target;
  if (configuration.driver) object["driver"] = to_string(*configuration.driver);
  if (configuration.port) object["port"] = *configuration.port;
  if (configuration.concurrency) object["concurrency"] = *configuration.concurrency;
  if (configuration.idle_seconds) object["idleTime"] = *configuration.idle_seconds;
  if (configuration.isolation != Isolation::fork)
    object["isolation"] = to_string(configuration.isolation);
  if (configuration.egress) object["egress"] = *configuration.egress;
  if (configuration.min_instances != 0) object["minInstances"] = configuration.min_instances;
  if (configuration.cpu_thousandths != 0) object["cpuThousandths"] = configuration.cpu_thousandths;
  object["kindNamed"] = configuration.kind_named;
  object["portNamed"] = configuration.port_named;
  if (configuration.environment)
    object["sealedEnvironment"] = seal.seal(*configuration.environment);
  if (!configuration.secrets.empty()) object["secrets"] = references_json(configuration.secrets);
  if (!configuration.echoed.empty()) object["echoed"] = object_of(configuration.echoed);
  if (configuration.image_config) {
    const auto& image = *configuration.image_config;
    object["imageConfig"] = {
        {"entryPoint", json::array(image.entry_point.begin(), image.entry_point.end())},
        {"command", json::array(image.command.begin(), image.command.end())},
        {"workingDirectory", image.working_directory}};
  }
  return json::serialize(object);
}

Result<Configuration> configuration_from_json(std::string_view text, const EnvironmentSeal& seal) {
  try {
    const auto value = json::parse(text);
    auto configuration = read(value.as_object());
    if (const auto* sealed = value.as_object().if_contains("sealedEnvironment")) {
      auto environment = seal.open(sealed->as_string());
      if (!environment) return fail(std::move(environment.error()));
      configuration.environment = std::move(*environment);
    }
    return configuration;
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal, "stored settings cannot be read: {}", error.what());
  }
}

}  // namespace lambda::function
