// lambda queue config, and lambda queue secret.
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/event_settings.h"
#include "cli/exit_code.h"
#include "cli/output.h"

#include <cstdio>

namespace lambda::cli {
namespace {

using boost::json::object;

std::string value_of(const object& settings, std::string_view name, std::string value) {
  for (const auto& standard : array_in(settings, "standard")) {
    if (standard.is_string() && standard.get_string() == name) value += " (the server's)";
  }
  return value;
}

std::string destination_in(const object& settings, std::string_view name) {
  auto address = text_in(settings, name);
  return address.empty() ? "none" : address;
}

void show_config(const object& settings) {
  const auto row = [](const char* name, const std::string& value) {
    std::printf("%-12s %s\n", name, value.c_str());
  };
  if (text_in(settings, "of") == "live") row("Settings", "of live, which has its own");
  row("Retries", value_of(settings, "retries", std::to_string(number_in(settings, "retries"))));
  row("Maximum age", value_of(settings, "maxAge", age_text(number_in(settings, "maxAge"))));
  row("On success", destination_in(settings, "onSuccess"));
  row("On failure", destination_in(settings, "onFailure"));
}

}  // namespace

int queue_config(const ConnectionOptions& connection, const QueueConfigOptions& options) {
  EventSettings settings;
  settings.retries = options.retries;
  settings.max_age = options.max_age;
  settings.on_success = options.on_success;
  settings.on_failure = options.on_failure;
  if (settings.max_age) {
    if (const auto age = parse_age(*settings.max_age); !age)
      return explain(Error(ErrorCode::invalid, "--max-age: " + age.error().message()));
  }
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto& server = *connected.server;
  Result<Done> done = Done{};
  if (options.clear) done = clear_event_settings(server, options.name);
  if (!settings.empty()) done = set_event_settings(server, options.name, settings);
  if (!done) return explain(done.error());
  auto config = event_settings_of(server, options.name);
  if (!config) return explain(config.error());
  if (options.json) {
    print_json(*config);
  } else {
    show_config(*config);
  }
  return kDone;
}

int queue_secret(const ConnectionOptions& connection, const QueueOptions& options) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto reply = connected.server->json("GET", function_path(options.subject, "/webhook-secret"));
  if (!reply) return explain(reply.error());
  std::printf("%s\n", text_in(*reply, "secret").c_str());
  return kDone;
}

}  // namespace lambda::cli
