// How grave a line is, as far as it says so itself. Pure; any thread.
#pragma once

#include <boost/json.hpp>

#include <optional>
#include <string_view>

namespace lambda::observe {

enum class LogLevel { trace, debug, info, warn, error, fatal };

[[nodiscard]] std::string_view to_string(LogLevel level);
// By the names that loggers use, in any case: "warn", "WARNING", "critical".
[[nodiscard]] std::optional<LogLevel> parse_level(std::string_view word);
// The line as a JSON object, where it is one.
[[nodiscard]] std::optional<boost::json::object> fields_of(std::string_view text);
// Of a structured line: level, levelname, severity or log.level, as a name or as pino's number.
[[nodiscard]] std::optional<LogLevel> level_of(const boost::json::object& fields);
// Of any line: a structured one, AWS's forms ("TIME\tREQUEST\tLEVEL\t..." of Node, "[LEVEL]..." of
// Python), and the platform's words.
[[nodiscard]] std::optional<LogLevel> level_of(std::string_view text);

}  // namespace lambda::observe
