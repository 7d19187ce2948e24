#include "api/configuration_request.h"

#include "api/operation.h"

#include <array>

namespace lambda::api {
namespace {

namespace json = boost::json;

// Echoed to AWS's clients; they change nothing on this server.
constexpr std::array<std::string_view, 6> kEchoed = {"VpcConfig",     "KMSKeyArn",
                                                     "TracingConfig", "SnapStart",
                                                     "LoggingConfig", "CodeSigningConfigArn"};

struct Unsupported {
  std::string_view member;
  std::string_view instead;
};
constexpr std::array<Unsupported, 4> kUnsupported = {{
    {"Layers", "layers are not supported: put their files into the function's package"},
    {"DeadLetterConfig",
     "dead letters are not supported in this build: they come with the event queue"},
    {"FileSystemConfigs",
     "file systems cannot be mounted: use /tmp, or a service over the network"},
    {"DurableConfig", "durable executions are not supported"},
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
  const auto* environment = body.if_contains("Environment");
  if (environment == nullptr || environment->is_null()) return Done{};
  if (!environment->is_object())
    return fail(Error(ErrorCode::invalid, "Environment must be an object")
                    .with_aws_type("SerializationException"));
  auto variables = texts_member(environment->as_object(), "Variables");
  if (!variables) return fail(std::move(variables.error()));
  configuration.environment = variables->value_or(std::map<std::string, std::string>());
  return Done{};
}

Result<Done> take_storage(const json::object& body, function::Configuration& configuration) {
  const auto* storage = body.if_contains("EphemeralStorage");
  if (storage == nullptr || !storage->is_object()) return Done{};
  return take_number(storage->as_object(), "Size", configuration.ephemeral_storage_mb);
}

Result<Done> take_architecture(const json::object& body, function::Configuration& configuration) {
  const auto* list = body.if_contains("Architectures");
  if (list == nullptr || !list->is_array()) return Done{};
  for (const auto& item : list->as_array()) {
    if (item.is_string()) configuration.architecture = item.as_string();
  }
  return Done{};
}

std::vector<std::string> texts_of(const json::object& object, std::string_view name) {
  std::vector<std::string> texts;
  const auto* list = object.if_contains(name);
  if (list == nullptr || !list->is_array()) return texts;
  for (const auto& item : list->as_array()) {
    if (item.is_string()) texts.emplace_back(item.as_string());
  }
  return texts;
}

void take_image_config(const json::object& body, function::Configuration& configuration) {
  const auto* given = body.if_contains("ImageConfig");
  if (given == nullptr || !given->is_object()) return;
  function::ImageConfig config;
  config.entry_point = texts_of(given->as_object(), "EntryPoint");
  config.command = texts_of(given->as_object(), "Command");
  const auto* directory = given->as_object().if_contains("WorkingDirectory");
  if (directory != nullptr && directory->is_string())
    config.working_directory = directory->as_string();
  configuration.image_config = std::move(config);
}

}  // namespace

Result<function::Configuration> apply_configuration(function::Configuration configuration,
                                                    const json::object& body) {
  auto done = refuse_unsupported(body);
  if (done) done = take_text(body, "Runtime", configuration.runtime);
  if (done) done = take_text(body, "Handler", configuration.handler);
  if (done) done = take_text(body, "Role", configuration.role);
  if (done) done = take_text(body, "Description", configuration.description);
  if (done) done = take_number(body, "Timeout", configuration.timeout_seconds);
  if (done) done = take_number(body, "MemorySize", configuration.memory_mb);
  if (done) done = take_environment(body, configuration);
  if (done) done = take_storage(body, configuration);
  if (done) done = take_architecture(body, configuration);
  if (!done) return fail(std::move(done.error()));
  take_image_config(body, configuration);
  for (const auto name : kEchoed) {
    const auto* value = body.if_contains(name);
    if (value != nullptr && !value->is_null())
      configuration.echoed[std::string(name)] = json::serialize(*value);
  }
  return configuration;
}

}  // namespace lambda::api
