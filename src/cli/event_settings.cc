#include "cli/event_settings.h"

#include "base/blocking.h"
#include "base/encoding.h"
#include "cli/connection/json_fields.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <utility>

namespace lambda::cli {
namespace {

namespace json = boost::json;

struct Unit {
  char letter;
  std::int64_t seconds;
};
constexpr std::array<Unit, 3> kUnits = {{{'h', 3'600}, {'m', 60}, {'s', 1}}};

constexpr std::int64_t kShortestAge = 60;
constexpr std::int64_t kLongestAge = 21'600;

// `qualifier` "": of $LATEST.
std::string config_path(const std::string& name, const std::string& qualifier) {
  return "/2019-09-25/functions/" + percent_encode(name) + "/event-invoke-config" +
         (qualifier.empty() ? "" : "?Qualifier=" + percent_encode(qualifier));
}

// Of a function, a version or an alias.
bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '$';
  });
}

bool is_address(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

constexpr const char* kNoDestination =
    "\"{}\" is neither an address (http://..., https://...) nor a function's name";

// The ARN of "NAME" or "NAME:QUALIFIER"; addresses and ARNs stand for themselves.
Result<std::string> address_of(ServerConnection& server, const std::string& destination) {
  if (destination == "none") return std::string();
  if (is_address(destination) || destination.starts_with("arn:")) return destination;
  const auto colon = destination.find(':');
  const auto name = destination.substr(0, colon);
  const auto qualifier = colon == std::string::npos ? std::string() : destination.substr(colon);
  if (!is_name(name) || (!qualifier.empty() && !is_name(qualifier.substr(1))))
    return fail(ErrorCode::invalid, kNoDestination, destination);
  // The server's own words know which name is near.
  auto known = server.json("GET", function_path(name));
  if (!known) return fail(std::move(known.error()), kNoDestination, destination);
  auto found =
      server.json("GET", "/2015-03-31/functions/" + percent_encode(name) + "/configuration");
  if (!found) return fail(std::move(found.error()), kNoDestination, destination);
  return text_in(*found, "FunctionArn") + qualifier;
}

// AWS's names of members, as people know them here.
Error in_words(const Error& error) {
  auto message = error.message();
  for (const auto& [member, words] :
       {std::pair{"OnSuccess: ", "on success: "}, std::pair{"OnFailure: ", "on failure: "}}) {
    if (message.starts_with(member)) message.replace(0, std::string_view(member).size(), words);
  }
  return Error(error.code(), std::move(message));
}

Result<Done> add_destination(ServerConnection& server, const std::optional<std::string>& wanted,
                             const char* member, json::object& destinations) {
  if (!wanted) return Done{};
  auto address = address_of(server, *wanted);
  if (!address) return fail(std::move(address.error()));
  json::object destination;
  if (!address->empty()) destination["Destination"] = *address;
  destinations[member] = std::move(destination);
  return Done{};
}

}  // namespace

std::optional<FunctionDestination> function_destination(std::string_view destination) {
  constexpr std::string_view kFunction = ":function:";
  if (is_address(destination)) return std::nullopt;
  if (destination.starts_with("arn:")) {
    const auto function = destination.find(kFunction);
    if (function == std::string_view::npos) return std::nullopt;
    destination.remove_prefix(function + kFunction.size());
  }
  const auto colon = destination.find(':');
  if (colon == std::string_view::npos) return FunctionDestination{destination, {}};
  return FunctionDestination{destination.substr(0, colon), destination.substr(colon + 1)};
}

Result<std::int64_t> parse_age(std::string_view text) {
  auto digits = text;
  std::int64_t unit = 1;
  for (const auto& known : kUnits) {
    if (!text.ends_with(known.letter)) continue;
    unit = known.seconds;
    digits.remove_suffix(1);
    break;
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() ||
      number < 0 || number > 1'000'000) {
    return fail(ErrorCode::invalid, "\"{}\" is not a time such as 1h, 30m, 90s or 3600 (seconds)",
                text);
  }
  const auto seconds = number * unit;
  if (seconds < kShortestAge || seconds > kLongestAge)
    return fail(ErrorCode::invalid, "an event may grow 60s to 6h old, not {}", text);
  return seconds;
}

Result<Done> check_retries(std::int64_t retries) {
  if (retries >= 0 && retries <= 2) return Done{};
  return fail(ErrorCode::invalid, "a failed event is retried 0, 1 or 2 times, not {}", retries);
}

std::string age_text(std::int64_t seconds) {
  if (seconds % 3'600 == 0) return std::to_string(seconds / 3'600) + " h";
  if (seconds % 60 == 0) return std::to_string(seconds / 60) + " min";
  return std::to_string(seconds) + " s";
}

Result<json::object> event_settings_of(ServerConnection& server, const std::string& name) {
  return server.json("GET", function_path(name, "/event-settings"));
}

Result<json::object> event_settings_json(ServerConnection& server, const EventSettings& settings) {
  json::object body;
  if (settings.retries) body["MaximumRetryAttempts"] = *settings.retries;
  if (settings.max_age) {
    auto seconds = parse_age(*settings.max_age);
    if (!seconds) return fail(std::move(seconds.error()));
    body["MaximumEventAgeInSeconds"] = *seconds;
  }
  json::object destinations;
  auto added = add_destination(server, settings.on_success, "OnSuccess", destinations);
  if (added) added = add_destination(server, settings.on_failure, "OnFailure", destinations);
  if (!added) return fail(std::move(added.error()));
  if (!destinations.empty()) body["DestinationConfig"] = std::move(destinations);
  return body;
}

Result<Done> set_event_settings(ServerConnection& server, const std::string& name,
                                const EventSettings& settings) {
  auto body = event_settings_json(server, settings);
  if (!body) return fail(std::move(body.error()));
  auto before = event_settings_of(server, name);
  if (!before) return fail(std::move(before.error()));
  const auto qualifier = text_in(*before, "of");
  // POST adds to what is there; PUT makes the first.
  auto set = server.json(qualifier.empty() ? "PUT" : "POST", config_path(name, qualifier), &*body);
  if (!set) return tl::unexpected(in_words(set.error()));
  return Done{};
}

Result<Done> clear_event_settings(ServerConnection& server, const std::string& name) {
  while (true) {
    auto now = event_settings_of(server, name);
    if (!now) return fail(std::move(now.error()));
    const auto qualifier = text_in(*now, "of");
    if (qualifier.empty()) return Done{};
    auto removed = server.call("DELETE", config_path(name, qualifier));
    if (!removed) return fail(std::move(removed.error()));
  }
}

}  // namespace lambda::cli
