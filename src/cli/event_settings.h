// How a function's asynchronous events are retried and where their results go, as a person writes
// it: `lambda queue config`, and lambda.toml. Blocking, but for what takes
// no server.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "cli/connection/server_connection.h"

#include <boost/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lambda::cli {

// What is absent stays as it is.
struct EventSettings {
  std::optional<std::int64_t> retries;
  std::optional<std::string> max_age;  // "1h", "90s", "3600"
  // A function's name or ARN, an http(s) URL, or "none".
  std::optional<std::string> on_success, on_failure;

  [[nodiscard]] bool empty() const { return !retries && !max_age && !on_success && !on_failure; }
};

// The function that a destination names, by its name or its ARN. Views into the text.
struct FunctionDestination {
  std::string_view name;
  std::string_view qualifier;  // "" where there is none
};
// Nothing of an address.
std::optional<FunctionDestination> function_destination(std::string_view destination);
// Seconds, from a minute to six hours. Errors: invalid.
Result<std::int64_t> parse_age(std::string_view text);
// Error: invalid.
Result<Done> check_retries(std::int64_t retries);
// "6 h", "90 s"
[[nodiscard]] std::string age_text(std::int64_t seconds);

// What is in effect for events that follow `live`:
// {"of","retries","maxAge","onSuccess","onFailure", "standard"} as docs/control-api.md has it.
Result<boost::json::object> event_settings_of(ServerConnection& server, const std::string& name);
// AWS's EventInvokeConfig of them. Functions are asked for by name, and must be there.
Result<boost::json::object> event_settings_json(ServerConnection& server,
                                                const EventSettings& settings);
// Into the configuration that is in effect, be it of `live` or of $LATEST.
Result<Done> set_event_settings(ServerConnection& server, const std::string& name,
                                const EventSettings& settings);
// Whatever is in effect, until nothing is but the server's own rules.
Result<Done> clear_event_settings(ServerConnection& server, const std::string& name);

}  // namespace lambda::cli
