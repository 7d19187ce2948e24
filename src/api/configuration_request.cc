#include "api/configuration_request.h"

#include "api/echoed_fields.h"
#include "api/json_members.h"
#include "function/validation.h"

#include <spdlog/fmt/ranges.h>

#include <array>

namespace lambda::api {
namespace {

namespace json = boost::json;

struct Unsupported {
  std::string_view member;
  std::string_view instead;
};
constexpr std::array<Unsupported, 7> kUnsupported = {{
    {"Layers", "layers are not supported: put their files into the function's package"},
    {"FileSystemConfigs",
     "file systems cannot be mounted: use /tmp, or a service over the network"},
    {"CodeSigningConfigArn", "code signing is not supported: keys decide who may change code"},
    {"DurableConfig", "durable executions are not supported"},
    {"CapacityProviderConfig",
     "there are no capacity providers here: functions run on this server"},
    {"TenancyConfig", "tenant isolation is not supported"},
    {"PublishTo", "versions are numbered: use Publish, or PublishVersion"},
}};

bool is_empty(const json::value& value) {
  if (value.is_null()) return true;
  if (const auto* array = value.if_array()) return array->empty();
  if (const auto* object = value.if_object()) {
    for (const auto& [key, item] : *object) {
      if (!is_empty(item)) return false;
    }
    return true;
  }
  return value.is_string() && value.as_string().empty();
}

Result<Done> refuse_unsupported(const json::object& body) {
  for (const auto& [member, instead] : kUnsupported) {
    const auto* value = body.if_contains(member);
    if (value != nullptr && !is_empty(*value))
      return fail(ErrorCode::invalid, "{}: {}", member, instead);
  }
  return Done{};
}

Result<Done> take_text(const json::object& body, std::string_view name, std::string& into) {
  auto text = text_member(body, name);
  if (!text) return fail(std::move(text.error()));
  if (*text) into = std::move(**text);
  return Done{};
}

Result<Done> take_number(const json::object& body, std::string_view name, int& into) {
  auto number = number_member(body, name);
  if (!number) return fail(std::move(number.error()));
  if (*number) {
    if (**number < -1'000'000 || **number > 1'000'000)
      return fail(ErrorCode::invalid, "{} is out of range", name);
    into = static_cast<int>(**number);
  }
  return Done{};
}

Result<Done> take_environment(const json::object& body, function::Configuration& configuration) {
  auto environment = object_member(body, "Environment");
  if (!environment) return fail(std::move(environment.error()));
  if (*environment == nullptr) return Done{};
  auto variables = texts_member(**environment, "Variables");
  if (!variables) return fail(std::move(variables.error()));
  configuration.environment = variables->value_or(std::map<std::string, std::string>());
  return Done{};
}

Result<Done> take_storage(const json::object& body, function::Configuration& configuration) {
  auto storage = object_member(body, "EphemeralStorage");
  if (!storage) return fail(std::move(storage.error()));
  if (*storage == nullptr) return Done{};
  return take_number(**storage, "Size", configuration.ephemeral_storage_mb);
}

Result<Done> take_dead_letters(const json::object& body, function::Configuration& configuration) {
  auto given = object_member(body, "DeadLetterConfig");
  if (!given) return fail(std::move(given.error()));
  if (*given == nullptr) return Done{};
  return take_text(**given, "TargetArn", configuration.dead_letter_target);
}

Result<Done> take_architecture(const json::object& body, function::Configuration& configuration) {
  auto list = list_member(body, "Architectures");
  if (!list) return fail(std::move(list.error()));
  if (!*list) return Done{};
  function::ValidationErrors errors;
  if ((*list)->size() != 1) {
    errors.add("architectures", fmt::format("[{}]", fmt::join(**list, ", ")),
               "Member must have length equal to 1");
  }
  for (const auto& name : **list) errors.check_enum("architectures", name, {"x86_64", "arm64"});
  if (auto good = errors.result(); !good) return good;
  configuration.architecture = (*list)->front();
  return Done{};
}

Result<Done> take_image_config(const json::object& body, function::Configuration& configuration) {
  auto given = object_member(body, "ImageConfig");
  if (!given) return fail(std::move(given.error()));
  if (*given == nullptr) return Done{};
  auto entry_point = list_member(**given, "EntryPoint");
  if (!entry_point) return fail(std::move(entry_point.error()));
  auto command = list_member(**given, "Command");
  if (!command) return fail(std::move(command.error()));
  auto directory = text_member(**given, "WorkingDirectory");
  if (!directory) return fail(std::move(directory.error()));
  function::ImageConfig config;
  config.entry_point = entry_point->value_or(std::vector<std::string>());
  config.command = command->value_or(std::vector<std::string>());
  config.working_directory = directory->value_or("");
  // {} clears it.
  configuration.image_config.reset();
  if (config != function::ImageConfig()) configuration.image_config = std::move(config);
  return Done{};
}

}  // namespace

Result<function::Configuration> apply_configuration(function::Configuration configuration,
                                                    const json::object& body,
                                                    std::string_view name) {
  auto done = refuse_unsupported(body);
  if (done) done = take_text(body, "Runtime", configuration.runtime);
  if (done) done = take_text(body, "Handler", configuration.handler);
  if (done) done = take_text(body, "Role", configuration.role);
  if (done) done = take_text(body, "Description", configuration.description);
  if (done) done = take_number(body, "Timeout", configuration.timeout_seconds);
  if (done) done = take_number(body, "MemorySize", configuration.memory_mb);
  if (done) done = take_environment(body, configuration);
  if (done) done = take_storage(body, configuration);
  if (done) done = take_dead_letters(body, configuration);
  if (done) done = take_architecture(body, configuration);
  if (done) done = take_image_config(body, configuration);
  if (done) done = take_echoed(body, name, configuration);
  if (!done) return fail(std::move(done.error()));
  return configuration;
}

}  // namespace lambda::api
