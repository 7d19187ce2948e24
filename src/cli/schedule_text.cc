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

std::string replaced_text(const boost::json::object& before, const boost::json::object& now) {
  auto text = text_in(before, "cron");
  const auto add = [&](const char* member, const char* label) {
    const auto value = text_in(before, member);
    if (value.empty() || value == text_in(now, member)) return;
    const bool time = member == std::string_view("from") || member == std::string_view("until");
    text += std::string(", ") + label + (time ? shown_time(value) : value);
  };
  add("timezone", "");
  add("overlap", "overlap ");
  add("misfire", "misfire ");
  add("jitter", "jitter ");
  add("from", "from ");
  add("until", "until ");
  if (const auto* data = before.if_contains("dataBytes"); data != nullptr && data->is_number())
    text += ", with data";
  return text;
}

}  // namespace lambda::cli
