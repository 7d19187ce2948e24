#include "cli/deploy_settings.h"

#include "base/blocking.h"
#include "base/deploy_rules.h"
#include "base/encoding.h"
#include "base/environment_rules.h"
#include "cli/project/text_file.h"

#include <fstream>
#include <map>
#include <utility>

namespace lambda::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDescription = 256;

Result<std::pair<std::string, std::string>> key_and_value(const std::string& text,
                                                          std::string_view flag) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    return fail(ErrorCode::invalid, "{} \"{}\" must be KEY=VALUE", flag, text);
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

// Docker's format: K=V lines as they are, blank lines and comments skipped.
Result<Done> add_environment_file(const std::string& path,
                                  std::map<std::string, std::string>& environment) {
  std::ifstream file(path);
  if (!file) return fail(ErrorCode::invalid, "cannot read --env-file {}", path);
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (number == 1) drop_byte_order_mark(line);
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    // The line itself may be a secret.
    const auto equals = line.find('=');
    if (equals == std::string::npos || equals == 0)
      return fail(ErrorCode::invalid, "{} line {} must be KEY=VALUE", path, number);
    environment[line.substr(0, equals)] = line.substr(equals + 1);
  }
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
  text("driver", options.driver, manifest.driver);
  number("timeout", options.timeout, manifest.timeout);
  number("memory", options.memory, manifest.memory);
  number("ephemeralStorage", options.ephemeral_storage, manifest.ephemeral_storage);
  number("port", options.port, manifest.port);
  number("concurrency", options.concurrency, manifest.concurrency);
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
