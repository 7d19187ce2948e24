#include "cli/deploy_settings.h"

#include "base/blocking.h"
#include "base/deploy_rules.h"
#include "base/egress_rules.h"
#include "base/encoding.h"
#include "base/environment_rules.h"
#include "cli/assignments.h"
#include "cli/log_settings.h"

#include <utility>

namespace lambda::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDescription = 256;

// lambda.toml's list says which there are, and options add to it.
Result<Done> add_secrets(const DeployOptions& options, const Manifest& manifest,
                         json::object& settings) {
  json::object secrets;
  const auto add = [&secrets](const std::string& text, std::string_view where) -> Result<Done> {
    auto reference = secret_reference(text, where);
    if (!reference) return fail(std::move(reference.error()));
    secrets[reference->first] = reference->second;
    return Done{};
  };
  for (const auto& text : manifest.secrets.value_or(std::vector<std::string>())) {
    if (auto added = add(text, "lambda.toml: secrets"); !added) return added;
  }
  for (const auto& text : options.secrets) {
    if (auto added = add(text, "--secret"); !added) return added;
  }
  if (!secrets.empty()) settings["secrets"] = std::move(secrets);
  if (manifest.secrets || options.secrets_clear) settings["secretsClear"] = true;
  return Done{};
}

Result<Done> check_description(const DeployOptions& options, const Manifest& manifest) {
  const auto& description = options.description ? options.description : manifest.description;
  const auto length = description ? count_characters(*description) : 0;
  if (length <= kMaxDescription) return Done{};
  return fail(ErrorCode::invalid, "{} has {} characters; at most {} are kept: shorten it",
              options.description ? "--description" : "the description in lambda.toml", length,
              kMaxDescription);
}

Result<Done> add_logs(const DeployOptions& options, const Manifest& manifest,
                      json::object& settings) {
  const auto& size = options.log_size ? options.log_size : manifest.log_size;
  const auto& age = options.log_age ? options.log_age : manifest.log_age;
  const auto named = [](const char* what, bool by_option) {
    return by_option ? fmt::format("--log-{}", what) : fmt::format("lambda.toml: [logs] {}", what);
  };
  auto sized = log_settings(size, std::nullopt);
  if (!sized)
    return fail(std::move(sized.error()), "{}", named("size", options.log_size.has_value()));
  auto aged = log_settings(std::nullopt, age);
  if (!aged) return fail(std::move(aged.error()), "{}", named("age", options.log_age.has_value()));
  for (auto& member : *aged) sized->emplace(member.key(), member.value());
  if (!sized->empty()) settings["logs"] = std::move(*sized);
  return Done{};
}

// Whether and how dependencies are installed on the server.
Result<Done> add_build(const DeployOptions& options, const Manifest& manifest,
                       json::object& settings) {
  // An image has its own.
  if (options.image) return Done{};
  if (!options.build && !manifest.build) {
    if (!options.no_cache && options.build_environment.empty()) return Done{};
    return fail(ErrorCode::invalid, "{} is of the installation of dependencies: add --build",
                options.no_cache ? "--no-cache" : "--build-env");
  }
  settings["build"] = true;
  if (options.no_cache) settings["buildCache"] = false;
  auto environment = manifest.build_environment;
  for (const auto& item : options.build_environment) {
    auto pair = key_and_value(item, "--build-env");
    if (!pair) return fail(std::move(pair.error()));
    environment[pair->first] = pair->second;
  }
  auto fitting = check_variables(environment);
  if (!fitting) return fail(std::move(fitting.error()), "--build-env");
  json::object variables;
  for (const auto& [name, value] : environment) variables[name] = value;
  if (!variables.empty()) settings["buildEnvironment"] = std::move(variables);
  return Done{};
}

Result<Done> add_egress(const DeployOptions& options, const Manifest& manifest,
                        json::object& settings) {
  const auto& named = options.egress ? options.egress : manifest.egress;
  if (!named) return Done{};
  if (*named != "default") {
    auto rule = parse_egress(*named);
    if (!rule) return fail(std::move(rule.error()));
  }
  settings["egress"] = *named;
  return Done{};
}

}  // namespace

Result<json::object> deploy_settings(const DeployOptions& options, const Manifest& manifest) {
  json::object settings;
  const auto text = [&settings](const char* key, const std::optional<std::string>& flag,
                                const std::optional<std::string>& file) {
    if (flag || file) settings[key] = flag ? *flag : *file;
  };
  const auto number = [&settings](const char* key, const std::optional<std::int64_t>& flag,
                                  const std::optional<std::int64_t>& file) {
    if (flag || file) settings[key] = flag ? *flag : *file;
  };
  text("runtime", options.runtime, manifest.runtime);
  text("handler", options.handler, manifest.handler);
  text("kind", options.kind, manifest.kind);
  if (auto fits = check_description(options, manifest); !fits) return fail(std::move(fits.error()));
  text("description", options.description, manifest.description);
  text("url", options.url, manifest.url);
  text("isolation", options.isolation, manifest.isolation);
  text("driver", options.driver, manifest.driver);
  number("timeout", options.timeout, manifest.timeout);
  number("memory", options.memory, manifest.memory);
  number("ephemeralStorage", options.ephemeral_storage, manifest.ephemeral_storage);
  number("port", options.port, manifest.port);
  number("concurrency", options.concurrency, manifest.concurrency);
  number("idleTime", options.idle_time, manifest.idle_time);
  if (auto added = add_egress(options, manifest, settings); !added)
    return fail(std::move(added.error()));
  number("minInstances", options.min_instances, manifest.min_instances);
  if (options.cpus || manifest.cpus)
    settings["cpus"] = options.cpus ? *options.cpus : *manifest.cpus;
  if (auto added = add_logs(options, manifest, settings); !added)
    return fail(std::move(added.error()));
  auto environment = manifest.environment;
  if (!options.environment_file.empty()) {
    auto read = add_environment_file(options.environment_file, environment);
    if (!read) return fail(std::move(read.error()));
  }
  for (const auto& item : options.environment) {
    auto pair = key_and_value(item, "-e");
    if (!pair) return fail(std::move(pair.error()));
    environment[pair->first] = pair->second;
  }
  auto fitting = check_variables(environment);
  if (!fitting) return fail(std::move(fitting.error()));
  json::object variables;
  for (const auto& [name, value] : environment) variables[name] = value;
  if (!variables.empty()) settings["environment"] = std::move(variables);
  if (options.environment_clear) settings["environmentClear"] = true;
  if (auto added = add_secrets(options, manifest, settings); !added)
    return fail(std::move(added.error()));
  if (auto build = add_build(options, manifest, settings); !build)
    return fail(std::move(build.error()));
  json::object tags;
  for (const auto& item : options.tags) {
    auto pair = key_and_value(item, "--tag");
    if (!pair) return fail(std::move(pair.error()));
    tags[pair->first] = pair->second;
  }
  if (!tags.empty()) settings["tags"] = std::move(tags);
  auto short_enough = check_deploy_message(options.message);
  if (!short_enough) return fail(std::move(short_enough.error()));
  if (!options.message.empty()) settings["message"] = options.message;
  return settings;
}

}  // namespace lambda::cli
