#include "observe/log_json.h"

#include "base/time_text.h"
#include "observe/log_level.h"

#include <boost/json.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>

namespace lambda::observe {
namespace {

namespace json = boost::json;

constexpr std::string_view kIdFirst = "{\"id\":";

std::string json_quoted(std::string_view text) {
  return json::serialize(json::string_view(text.data(), text.size()));
}

}  // namespace

std::string kept_json(const KeptLine& line) {
  return fmt::format(R"({}{},"time":{},"version":{},"instance":{},"requestId":{},"text":{}{}}})",
                     kIdFirst, line.id, line.time.time_since_epoch().count(),
                     json_quoted(line.origin->version), json_quoted(line.origin->instance),
                     json_quoted(line.origin->request_id), json_quoted(line.text),
                     line.platform ? ",\"platform\":true" : "");
}

std::uint64_t id_of_kept(std::string_view text) {
  if (!text.starts_with(kIdFirst)) return 0;
  text.remove_prefix(kIdFirst.size());
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  return error == std::errc() ? id : 0;
}

std::optional<LogLine> parse_kept(std::string_view text, std::string_view function) {
  boost::system::error_code error;
  const auto value = json::parse(text, error);
  if (error || !value.is_object()) return std::nullopt;
  const auto& object = value.get_object();
  const auto read = [&object](std::string_view name, std::string& into) {
    if (const auto* found = object.if_contains(name); found != nullptr && found->is_string())
      into = found->get_string();
  };
  const auto* time = object.if_contains("time");
  if (time == nullptr || !time->is_int64()) return std::nullopt;
  LogLine line;
  line.id = id_of_kept(text);
  line.time = WallTime(std::chrono::milliseconds(time->get_int64()));
  line.function = function;
  line.platform = object.contains("platform");
  read("version", line.version);
  read("instance", line.instance);
  read("requestId", line.request_id);
  read("text", line.text);
  return line;
}

std::string shown_json(const LogLine& line) {
  const auto fields = fields_of(line.text);
  std::string as_written = fields ? line.text : std::string();
  // White space, as it stands in no string of JSON; in server-sent events it would end the line.
  std::ranges::replace(as_written, '\r', ' ');
  const auto level = fields ? level_of(*fields) : level_of(std::string_view(line.text));
  return fmt::format(
      R"({{"id":{},"time":"{}Z","version":{},"instance":{},"requestId":{},"platform":{},"level":{},"text":{}{}{}}})",
      line.id, format_iso(line.time), json_quoted(line.version), json_quoted(line.instance),
      json_quoted(line.request_id), line.platform, level ? json_quoted(to_string(*level)) : "null",
      json_quoted(line.text), fields ? ",\"fields\":" : "", as_written);
}

}  // namespace lambda::observe
