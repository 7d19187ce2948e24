#include "cli/schedule_settings.h"

#include "cli/connection/json_fields.h"
#include "cli/schedule_text.h"

#include <boost/json.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace lambda::cli {
namespace json = boost::json;

json::array schedules_json(const Manifest& manifest) {
  json::array schedules;
  for (const auto& schedule : manifest.schedules) {
    json::object one;
    const auto set = [&one](const char* name, const std::optional<std::string>& value) {
      if (value) one[name] = *value;
    };
    set("name", schedule.name);
    set("cron", schedule.cron);
    set("timezone", schedule.timezone);
    set("overlap", schedule.overlap);
    set("misfire", schedule.misfire);
    set("jitter", schedule.jitter);
    set("data", schedule.data);
    set("from", schedule.from);
    set("until", schedule.until);
    schedules.push_back(std::move(one));
  }
  return schedules;
}

namespace {

std::string change_text(const std::string& function, const json::object& change,
                        const json::array& schedules) {
  const auto name = text_in(change, "name");
  auto text =
      fmt::format("Schedule \"{}\" of \"{}\" {}", name, function, text_in(change, "change"));
  for (const auto& schedule : schedules) {
    if (text_in(schedule.as_object(), "name") == name)
      text += "; next: " + next_text(schedule.as_object());
  }
  return text;
}

}  // namespace

Result<std::vector<std::string>> declare_schedules(ServerConnection& server,
                                                   const std::string& function,
                                                   const Manifest& manifest) {
  if (!manifest.written) return std::vector<std::string>();
  if (manifest.schedules.empty()) {
    auto known = server.json("GET", function_path(function, "/schedules"));
    // A server that knows nothing of schedules has none.
    if (!known && known.error().code() == ErrorCode::not_found) return std::vector<std::string>();
    if (!known) return fail(std::move(known.error()), "the schedules of \"{}\"", function);
    const auto& schedules = array_in(*known, "schedules");
    const bool declared = std::ranges::any_of(schedules, [](const json::value& schedule) {
      return flag_in(schedule.as_object(), "declared");
    });
    if (!declared) return std::vector<std::string>();
  }
  const json::object body{{"schedules", schedules_json(manifest)}};
  auto saved = server.json("PUT", function_path(function, "/schedules"), &body);
  if (!saved) return fail(std::move(saved.error()));
  std::vector<std::string> changes;
  for (const auto& change : array_in(*saved, "changes"))
    changes.push_back(change_text(function, change.as_object(), array_in(*saved, "schedules")));
  return changes;
}

}  // namespace lambda::cli
