#include "cli/output.h"

#include "base/encoding.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <iostream>

namespace lambda::cli {
std::string size_text(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 4> units = {"KB", "MB", "GB", "TB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1000.0;
  std::size_t unit = 0;
  while (value >= 1000.0 && unit + 1 < units.size()) {
    value /= 1000.0;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, units[unit]);
}

std::int64_t seconds_of(std::string_view iso) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (std::sscanf(std::string(iso).c_str(), "%d-%d-%dT%d:%d:%d", &year, &month, &day, &hour,
                  &minute, &second) != 6)
    return 0;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  return std::chrono::sys_days(date).time_since_epoch().count() * 86'400LL + hour * 3'600 +
         minute * 60 + second;
}

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string ago_text(std::string_view iso, std::int64_t now) {
  const auto seconds = std::max<std::int64_t>(0, now - seconds_of(iso));
  const auto say = [](std::int64_t count, std::string_view unit) {
    return counted(static_cast<std::uint64_t>(count), unit) + " ago";
  };
  if (seconds < 60) return say(seconds, "second");
  if (seconds < 3600) return say(seconds / 60, "minute");
  if (seconds < 86'400) return say(seconds / 3600, "hour");
  return say(seconds / 86'400, "day");
}

std::string counted(std::uint64_t count, std::string_view unit) {
  return fmt::format("{} {}{}", count, unit, count == 1 ? "" : "s");
}

std::string shortened(std::string_view text, std::size_t size) {
  if (text.size() <= size) return std::string(text);
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return std::string(text.substr(0, size)) + "...";
}

std::optional<std::string> read_line() {
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  while (line.ends_with('\r') || line.ends_with(' ')) line.pop_back();
  return line;
}

bool agreed(const std::string& question) {
  std::fprintf(stderr, "%s [y/N] ", question.c_str());
  const auto line = read_line();
  if (!line) std::fputc('\n', stderr);
  const auto answer = to_lower(line.value_or(""));
  return answer == "y" || answer == "yes";
}

void print_json(const boost::json::object& object) {
  std::printf("%s\n", boost::json::serialize(object).c_str());
}

void tell(bool as_json, const boost::json::object& done, const std::string& sentence) {
  if (as_json) {
    print_json(done);
  } else {
    std::printf("%s\n", sentence.c_str());
  }
}

}  // namespace lambda::cli
