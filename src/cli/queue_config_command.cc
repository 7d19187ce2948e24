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

constexpr std::int64_t kRetries = 2;
constexpr std::int64_t kMaxAge = 21'600;

std::string destination_in(const object& config, std::string_view name) {
  const auto* destinations = config.if_contains("DestinationConfig");
  if (destinations == nullptr || !destinations->is_object()) return "none";
  const auto* one = destinations->get_object().if_contains(name);
  if (one == nullptr || !one->is_object()) return "none";
  const auto address = text_in(one->get_object(), "Destination");
  return address.empty() ? "none" : address;
}

void show_config(const object& config) {
  const auto number = [&config](std::string_view name, std::int64_t standard) {
    return config.contains(name) ? number_in(config, name) : standard;
  };
  std::printf("%-12s %lld\n", "Retries",
              static_cast<long long>(number("MaximumRetryAttempts", kRetries)));
  std::printf("%-12s %s\n", "Maximum age",
              age_text(number("MaximumEventAgeInSeconds", kMaxAge)).c_str());
  std::printf("%-12s %s\n", "On success", destination_in(config, "OnSuccess").c_str());
  std::printf("%-12s %s\n", "On failure", destination_in(config, "OnFailure").c_str());
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
  auto config = options.clear      ? clear_event_settings(server, options.name)
                : settings.empty() ? event_settings_of(server, options.name)
                                   : set_event_settings(server, options.name, settings);
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
