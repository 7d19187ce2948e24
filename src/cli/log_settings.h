// How much of a function's log is kept, as a person writes it: [logs] of lambda.toml, --log-size
// and
// --log-age; and as it is shown. Pure.
#pragma once

#include "base/result.h"

#include <boost/json.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace lambda::cli {

// MB: "64MB", "2GB", "64". Nothing of "default", the server's own. Errors: invalid.
Result<std::optional<std::int64_t>> parse_log_size(std::string_view text);
// Seconds: "30d", "1h30m", "3600"; 0 of "none", which keeps lines of any age. Nothing of "default".
// Errors: invalid.
Result<std::optional<std::int64_t>> parse_log_age(std::string_view text);

// What a deploy takes as "logs"; empty where neither is named. Errors: invalid.
Result<boost::json::object> log_settings(const std::optional<std::string>& size,
                                         const std::optional<std::string>& age);
// "Its log is kept to 8 MB and 7 days." of what the server says of "logs"; "" where nothing of it
// is the function's own.
[[nodiscard]] std::string own_log_text(const boost::json::object& logs);

}  // namespace lambda::cli
