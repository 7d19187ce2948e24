#include "events/scheduler/schedule_text.h"

#include "base/time_text.h"
#include "events/schedule/schedule_expression.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>

namespace lambda::events {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t milliseconds;
};
// The largest first.
constexpr std::array<Unit, 4> kUnits = {Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1'000},
                                        Unit{"ms", 1}};
constexpr std::int64_t kMostUnits = 1'000'000'000;

tl::unexpected<Error> no_moment(std::string_view text) {
  return fail(ErrorCode::invalid,
              "\"{}\" is not a date: write 2026-01-31, 2026-01-31T09:30:00 (by the clock of the "
              "schedule's time zone) or 2026-01-31T09:30:00Z",
              text);
}

constexpr auto kLongAgo = WallTime() - std::chrono::hours(48);

// When the day after this one ("2026-01-31") begins.
WallTime day_after(const std::string& day, const TimeZone& zone) {
  const auto number = [&day](std::size_t at, std::size_t count) {
    return std::atoi(day.substr(at, count).c_str());
  };
  const std::chrono::year_month_day date(std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(number(8, 2))));
  const auto next = std::chrono::sys_days(date) + std::chrono::days(1);
  const auto midnight = format_iso(WallTime(next)).substr(0, 19);
  const auto once = ScheduleExpression::parse("at(" + midnight + ")");
  const auto time = once ? once->next(kLongAgo, zone, WallTime()) : std::nullopt;
  return time.value_or(WallTime(next));
}

}  // namespace

// at(...) is the one that knows what a local time is where clocks change.
Result<WallTime> parse_moment(std::string_view text, const TimeZone& zone, DayEdge edge) {
  constexpr std::size_t kDate = std::string_view("2026-01-31").size();
  constexpr std::size_t kToTheMinute = std::string_view("2026-01-31T09:30").size();
  std::string local(text);
  const bool utc = local.ends_with('Z') || local.ends_with('z');
  if (utc) local.pop_back();
  const bool whole_day = local.size() == kDate;
  if (whole_day) local += "T00:00:00";
  if (local.size() == kToTheMinute) local += ":00";
  const auto once = ScheduleExpression::parse("at(" + local + ")");
  if (!once) return no_moment(text);
  const auto clock = utc ? TimeZone() : zone;
  const auto time = once->next(kLongAgo, clock, WallTime());
  if (!time) return no_moment(text);
  if (!whole_day || edge == DayEdge::begin) return *time;
  // A day ends where the next one begins: its last hour may come twice, or not at all.
  return day_after(local.substr(0, kDate), clock) - std::chrono::milliseconds(1);
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const auto unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (error == std::errc() && count >= 0 && count <= kMostUnits) {
    if (unit.empty()) return std::chrono::milliseconds(count * 1'000);
    for (const auto& known : kUnits) {
      if (known.name == unit) return std::chrono::milliseconds(count * known.milliseconds);
    }
  }
  return fail(ErrorCode::invalid, "\"{}\" is not a time: write 30s, 5m, 1h, or seconds", text);
}

std::string duration_text(std::chrono::milliseconds duration) {
  for (const auto& unit : kUnits) {
    if (duration.count() != 0 && duration.count() % unit.milliseconds == 0)
      return std::to_string(duration.count() / unit.milliseconds) + std::string(unit.name);
  }
  return "0s";
}

std::string local_text(WallTime time, const TimeZone& zone) {
  using std::chrono::duration_cast;
  using std::chrono::minutes;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto offset = zone.period(seconds).offset;
  auto text = format_iso(time + offset);
  if (text.ends_with(".000")) text.resize(text.size() - 4);
  const auto apart = duration_cast<minutes>(offset < offset.zero() ? -offset : offset).count();
  return fmt::format("{}{}{:02}:{:02}", text, offset < offset.zero() ? '-' : '+', apart / 60,
                     apart % 60);
}

}  // namespace lambda::events
