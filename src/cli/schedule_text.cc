#include "cli/schedule_text.h"

#include "cli/connection/json_fields.h"

namespace lambda::cli {

std::string shown_time(std::string_view text) {
  std::string shown(text);
  if (const auto t = shown.find('T'); t != std::string::npos) shown[t] = ' ';
  if (const auto sign = shown.find_first_of("+-", 11); sign != std::string::npos)
    shown.insert(sign, " ");
  return shown;
}

std::string next_text(const boost::json::object& schedule) {
  if (const auto problem = text_in(schedule, "problem"); !problem.empty())
    return "cannot fire: " + problem;
  if (flag_in(schedule, "paused")) return "paused";
  const auto next = text_in(schedule, "next");
  return next.empty() ? "never again" : shown_time(next);
}

}  // namespace lambda::cli
