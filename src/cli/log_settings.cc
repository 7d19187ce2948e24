#include "cli/log_settings.h"

#include "base/blocking.h"
#include "base/deploy_rules.h"
#include "base/moment.h"
#include "cli/connection/json_fields.h"

#include <charconv>
#include <utility>

namespace lambda::cli {
namespace {

namespace json = boost::json;

constexpr std::string_view kServers = "default";

std::optional<std::int64_t> whole_number(std::string_view text) {
  constexpr std::int64_t kMost = 1'000'000'000'000;
  std::int64_t number = 0;
  const auto* const last = text.data() + text.size();
  // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): `last` says where it ends
  const auto [end, error] = std::from_chars(text.data(), last, number);
  if (text.empty() || error != std::errc() || end != last || number < 0 || number > kMost)
    return std::nullopt;
  return number;
}

std::string age_words(std::int64_t seconds) {
  if (seconds == 0) return "any age";
  for (const auto& [unit, words] : {std::pair{86'400, "day"}, {3'600, "hour"}, {60, "minute"}}) {
    if (seconds % unit != 0) continue;
    return fmt::format("{} {}{}", seconds / unit, words, seconds == unit ? "" : "s");
  }
  return fmt::format("{} seconds", seconds);
}

json::value number_or_null(const std::optional<std::int64_t>& number) {
  if (!number) return nullptr;
  return json::value(*number);
}

}  // namespace

Result<std::optional<std::int64_t>> parse_log_size(std::string_view text) {
  if (text == kServers) return std::optional<std::int64_t>();
  auto digits = text;
  std::int64_t factor = 1;
  if (text.ends_with("MB")) digits.remove_suffix(2);
  if (text.ends_with("GB")) {
    digits.remove_suffix(2);
    factor = 1024;
  }
  const auto number = whole_number(digits);
  if (!number) {
    return fail(ErrorCode::invalid,
                "\"{}\" is no size of a log such as 64MB or 2GB, nor \"default\" (the server's)",
                text);
  }
  if (auto good = check_log_size(*number * factor); !good) return fail(std::move(good.error()));
  return std::optional<std::int64_t>(*number * factor);
}

Result<std::optional<std::int64_t>> parse_log_age(std::string_view text) {
  if (text == kServers) return std::optional<std::int64_t>();
  if (text == "none") return std::optional<std::int64_t>(0);
  auto seconds = whole_number(text);
  if (const auto length = parse_length(text)) seconds = length->count();
  if (!seconds) {
    return fail(ErrorCode::invalid,
                "\"{}\" is no age of a log such as 30d, 12h or 3600 (seconds), nor \"none\" (any "
                "age) or \"default\" (the server's)",
                text);
  }
  if (auto good = check_log_age(*seconds); !good) return fail(std::move(good.error()));
  return seconds;
}

Result<json::object> log_settings(const std::optional<std::string>& size,
                                  const std::optional<std::string>& age) {
  json::object settings;
  if (size) {
    auto megabytes = parse_log_size(*size);
    if (!megabytes) return fail(std::move(megabytes.error()));
    settings["size"] = number_or_null(*megabytes);
  }
  if (age) {
    auto seconds = parse_log_age(*age);
    if (!seconds) return fail(std::move(seconds.error()));
    settings["age"] = number_or_null(*seconds);
  }
  return settings;
}

std::string own_log_text(const json::object& logs) {
  if (array_in(logs, "own").empty()) return "";
  return fmt::format("Its log is kept to {} MB and {}.", number_in(logs, "size"),
                     age_words(number_in(logs, "age")));
}

}  // namespace lambda::cli
