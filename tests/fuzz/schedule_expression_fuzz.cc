// Any bytes as an expression: it is refused in a line of text that names a column, or it fires,
// each time later than the time before, and the same however the time before is approached.
#include "events/schedule/schedule_expression.h"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

using namespace lambda;
using namespace lambda::events;
using namespace std::chrono;

void require(bool fine) {
  if (!fine) std::abort();
}

const TimeZone& zone(std::uint8_t which) {
  // Half an hour, a skipped day, a change at midnight, one in the year 2087, none.
  static const TimeZone zones[] = {*TimeZone::find("Europe/Berlin"),
                                   *TimeZone::find("Australia/Lord_Howe"),
                                   *TimeZone::find("Pacific/Apia"),
                                   *TimeZone::find("Africa/Cairo"),
                                   *TimeZone::find("Africa/Casablanca"),
                                   *TimeZone::find("America/St_Johns"),
                                   TimeZone()};
  return zones[which % std::size(zones)];
}

void check_firings(const ScheduleExpression& expression, const TimeZone& there, WallTime after) {
  for (int firing = 0; firing < 20; ++firing) {
    const auto next = expression.next(after, there, WallTime());
    if (!next) return;
    require(*next > after);
    require(expression.next(*next - milliseconds(1), there, WallTime()) == next);
    if (after > *next - days(100000))
      require(expression.next(after + (*next - after) / 2, there, WallTime()) == next);
    after = *next;
  }
}

}  // namespace

// A byte for the zone, four for the time in minutes, then the expression.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t head = 5;
  if (size < head) return 0;
  std::int32_t minute = 0;
  std::memcpy(&minute, data + 1, sizeof minute);
  const std::string_view text(reinterpret_cast<const char*>(data) + head, size - head);
  const auto expression = ScheduleExpression::parse(text);
  if (!expression) {
    const auto& message = expression.error().message();
    require(expression.error().code() == ErrorCode::invalid);
    require(!message.empty() && message.size() < 4096 && message.find('\n') == std::string::npos);
    return 0;
  }
  require(ScheduleExpression::parse(expression->text())->text() == expression->text());
  check_firings(*expression, zone(data[0]), WallTime(minutes(minute)));
  return 0;
}
