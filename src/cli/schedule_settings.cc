#include "cli/schedule_settings.h"

#include "cli/connection/json_fields.h"

#include <boost/json.hpp>

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

Result<Done> declare_schedules(ServerConnection& server, const std::string& function,
                               const Manifest& manifest) {
  if (!manifest.written) return Done{};
  if (manifest.schedules.empty()) {
    auto known = server.json("GET", function_path(function, "/schedules"));
    // A server that knows nothing of schedules has none.
    if (!known && known.error().code() == ErrorCode::not_found) return Done{};
    if (!known) return fail(std::move(known.error()), "the schedules of \"{}\"", function);
    const auto& schedules = array_in(*known, "schedules");
    const bool declared = std::ranges::any_of(schedules, [](const json::value& schedule) {
      return flag_in(schedule.as_object(), "declared");
    });
    if (!declared) return Done{};
  }
  const json::object body{{"schedules", schedules_json(manifest)}};
  auto saved = server.json("PUT", function_path(function, "/schedules"), &body);
  if (!saved) return fail(std::move(saved.error()));
  return Done{};
}

}  // namespace lambda::cli
