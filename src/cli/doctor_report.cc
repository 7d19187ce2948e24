#include "cli/doctor_report.h"

#include "base/encoding.h"
#include "cli/connection/json_fields.h"
#include "cli/terminal.h"
#include "cli/text_width.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace lambda::cli {
namespace {

// Date has whole seconds, and the answer took a moment.
constexpr std::int64_t kNoticeable = 3;
// AWS's signatures hold for five minutes.
constexpr std::int64_t kRefused = 300;

Colour colour_of(const std::string& health) {
  if (health == "ok") return Colour::green;
  return health == "warn" ? Colour::yellow : Colour::red;
}

// Broken between words where `room` columns (0: any) are not enough, with the margin before each
// further line.
std::string in_lines(std::string_view text, std::size_t room, const std::string& margin) {
  constexpr std::size_t kLeastRoom = 16;
  if (room < kLeastRoom) return std::string(text);
  std::string lines;
  std::size_t used = 0;
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    const auto wide = display_width(word);
    if (used > 0 && used + 1 + wide > room) {
      lines += "\n" + margin;
      used = 0;
    }
    if (used > 0) {
      lines += ' ';
      ++used;
    }
    lines += word;
    used += wide;
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  return lines;
}

}  // namespace

Finding finding_of(const Check& check) {
  return {check.name, std::string(to_string(check.health)), check.found, check.meaning, check.mend};
}

std::vector<Finding> findings_in(const boost::json::object& answer) {
  std::vector<Finding> findings;
  for (const auto& item : array_in(answer, "checks")) {
    if (!item.is_object()) continue;
    const auto& check = item.as_object();
    findings.push_back({text_in(check, "name"), text_in(check, "health"), text_in(check, "found"),
                        text_in(check, "meaning"), text_in(check, "mend")});
  }
  return findings;
}

boost::json::array findings_json(const std::vector<Finding>& findings) {
  boost::json::array all;
  for (const auto& each : findings) {
    all.push_back({{"name", each.name},
                   {"health", each.health},
                   {"found", each.found},
                   {"meaning", each.meaning},
                   {"mend", each.mend}});
  }
  return all;
}

bool is_anything_failed(const std::vector<Finding>& findings) {
  return std::ranges::any_of(findings, [](const Finding& each) { return each.health == "fail"; });
}

std::string findings_text(const std::vector<Finding>& findings, bool colours, std::size_t columns) {
  std::size_t width = 0;
  for (const auto& each : findings) width = std::max(width, count_characters(each.name));
  const std::size_t indent = width + 8;
  const std::string margin(indent, ' ');
  const auto room = columns > indent ? columns - indent : 0;
  std::string text;
  for (const auto& each : findings) {
    text += each.name + std::string(width - count_characters(each.name) + 2, ' ') +
            coloured(each.health, colour_of(each.health), colours) +
            std::string(each.health.size() < 4 ? 6 - each.health.size() : 2, ' ') +
            in_lines(each.found, room, margin) + "\n";
    if (!each.meaning.empty()) text += margin + in_lines(each.meaning, room, margin) + "\n";
    // As it is, to be copied.
    if (!each.mend.empty())
      text += margin + coloured("mend it: ", Colour::dim, colours) + each.mend + "\n";
  }
  return text;
}

std::optional<std::int64_t> seconds_of_date(std::string_view date) {
  static constexpr std::array<std::string_view, 12> kMonths = {
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::array<char, 4> name{};
  int day = 0, year = 0, hour = 0, minute = 0, second = 0;
  const auto comma = date.find(", ");
  if (comma == std::string_view::npos) return std::nullopt;
  if (std::sscanf(std::string(date.substr(comma + 2)).c_str(), "%d %3s %d %d:%d:%d", &day,
                  name.data(), &year, &hour, &minute, &second) != 6)
    return std::nullopt;
  const auto month = std::ranges::find(kMonths, std::string_view(name.data()));
  if (month == kMonths.end()) return std::nullopt;
  const std::chrono::year_month_day days{
      std::chrono::year(year),
      std::chrono::month(static_cast<unsigned>(month - kMonths.begin() + 1)),
      std::chrono::day(static_cast<unsigned>(day))};
  if (!days.ok()) return std::nullopt;
  return std::chrono::sys_days(days).time_since_epoch().count() * 86'400LL + hour * 3'600 +
         minute * 60 + second;
}

Finding clock_finding(std::string_view date, std::int64_t now) {
  const auto there = seconds_of_date(date);
  if (!there) return {"time", "warn", "the server does not tell its time", "", ""};
  const auto apart = std::abs(now - *there);
  if (apart < kNoticeable) return {"time", "ok", "this clock and the server's agree", "", ""};
  const bool refused = apart >= kRefused;
  return {
      "time", refused ? "fail" : "warn",
      fmt::format("this clock is {} s {} the server's", apart, now < *there ? "behind" : "before"),
      refused ? "What is signed here (AWS's clients) is refused there."
              : "Times in logs and schedules differ from what is seen here.",
      "timedatectl    # on both machines: whether their clocks are kept"};
}

}  // namespace lambda::cli
