#include "observe/log_level.h"

#include "base/encoding.h"

#include <array>
#include <string>
#include <utility>

namespace lambda::observe {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 6> kNames = {"trace", "debug", "info",
                                                    "warn",  "error", "fatal"};

constexpr std::array<std::pair<std::string_view, LogLevel>, 21> kWords = {{
    {"trace", LogLevel::trace},    {"verbose", LogLevel::trace},   {"debug", LogLevel::debug},
    {"fine", LogLevel::debug},     {"info", LogLevel::info},       {"information", LogLevel::info},
    {"notice", LogLevel::info},    {"log", LogLevel::info},        {"default", LogLevel::info},
    {"warn", LogLevel::warn},      {"warning", LogLevel::warn},    {"error", LogLevel::error},
    {"err", LogLevel::error},      {"severe", LogLevel::error},    {"fatal", LogLevel::fatal},
    {"critical", LogLevel::fatal}, {"crit", LogLevel::fatal},      {"alert", LogLevel::fatal},
    {"panic", LogLevel::fatal},    {"emergency", LogLevel::fatal}, {"emerg", LogLevel::fatal},
}};
constexpr std::size_t kLongestWord = 11;
constexpr std::size_t kLongestTime = 40;
// Of objects in objects. With what is around it in an answer it stays below 32, which is where many
// readers end, the command line's among them.
constexpr std::size_t kDeepest = 28;

// 10 is trace, 60 is fatal.
std::optional<LogLevel> level_of_number(std::int64_t number) {
  if (number < 10 || number > 69) return std::nullopt;
  return static_cast<LogLevel>(number / 10 - 1);
}

std::optional<LogLevel> level_of_value(const json::value& value) {
  if (value.is_string()) return parse_level(value.get_string());
  if (value.is_int64()) return level_of_number(value.get_int64());
  return std::nullopt;
}

// Of what the platform says besides what AWS does.
std::optional<LogLevel> of_keeping(std::string_view text) {
  if (text.find(" not kept") != std::string_view::npos) return LogLevel::warn;
  if (text.find(" failed: ") != std::string_view::npos) return LogLevel::error;
  if (text.find(" ended by itself: ") != std::string_view::npos) return LogLevel::error;
  return std::nullopt;
}

// "2026-01-02T03:04:05.678Z 61e4db12-d7d3-4e6e-bdb2-35b6ff52a12b its response ended early"
bool is_why_a_request_failed(std::string_view text) {
  constexpr std::size_t kTime = 24;
  constexpr std::size_t kId = 36;
  if (text.size() <= kTime + kId + 2 || text[10] != 'T' || text[kTime - 1] != 'Z') return false;
  const auto id = text.substr(kTime + 1, kId);
  return text[kTime] == ' ' && text[kTime + 1 + kId] == ' ' && id[8] == '-' && id[13] == '-' &&
         id[18] == '-' && id[23] == '-' && id.find(' ') == std::string_view::npos;
}

std::optional<LogLevel> of_platform(std::string_view text) {
  if (text.starts_with("INIT_REPORT ") && text.find("\tStatus: ") != std::string_view::npos)
    return LogLevel::error;
  for (const std::string_view word : {"START RequestId: ", "END RequestId: ", "REPORT RequestId: ",
                                      "INIT_START ", "INIT_REPORT "}) {
    if (text.starts_with(word)) return LogLevel::info;
  }
  if (text.starts_with("RequestId: ") && text.find(" Error: ") != std::string_view::npos)
    return LogLevel::error;
  if (text.find(" Task timed out after ") != std::string_view::npos) return LogLevel::error;
  if (is_why_a_request_failed(text)) return LogLevel::error;
  return std::nullopt;
}

// "TIME\tREQUEST\tLEVEL\ttext"
std::optional<LogLevel> of_node(std::string_view text) {
  const auto first = text.find('\t');
  if (first > kLongestTime || text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  const auto second = text.find('\t', first + 1);
  const auto third = second == std::string_view::npos ? second : text.find('\t', second + 1);
  if (third == std::string_view::npos) return std::nullopt;
  return parse_level(text.substr(second + 1, third - second - 1));
}

}  // namespace

std::string_view to_string(LogLevel level) {
  return kNames.at(static_cast<std::size_t>(level));
}

std::optional<LogLevel> parse_level(std::string_view word) {
  if (word.size() > kLongestWord) return std::nullopt;
  for (const auto& [name, level] : kWords) {
    if (equals_ignoring_case(name, word)) return level;
  }
  return std::nullopt;
}

std::optional<json::object> fields_of(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const auto begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos || text[begin] != '{') return std::nullopt;
  if (text[text.find_last_not_of(kBlanks)] != '}') return std::nullopt;
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = kDeepest;
  auto value = json::parse(text, error, {}, options);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

std::optional<LogLevel> level_of(const json::object& fields) {
  for (const std::string_view name : {"level", "levelname", "severity", "log.level"}) {
    if (const auto* value = fields.if_contains(name); value != nullptr) {
      if (const auto level = level_of_value(*value)) return level;
    }
  }
  if (const auto* log = fields.if_contains("log"); log != nullptr && log->is_object()) {
    if (const auto* level = log->get_object().if_contains("level"); level != nullptr)
      return level_of_value(*level);
  }
  return std::nullopt;
}

std::optional<LogLevel> level_of(std::string_view text) {
  if (const auto fields = fields_of(text)) return level_of(*fields);
  if (text.starts_with("[lambda] ")) return of_keeping(text);
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    return end == std::string_view::npos ? std::nullopt : parse_level(text.substr(1, end - 1));
  }
  if (const auto level = of_node(text)) return level;
  return of_platform(text);
}

}  // namespace lambda::observe
