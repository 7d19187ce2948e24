// lambda-schedule-probe: asks src/events/schedule for firing times, for tests in other languages.
// A line of input is "expression<TAB>zone<TAB>after<TAB>count", `after` in seconds since 1970,
// which is also where intervals count from. A line of output is {"times": [...]}, in milliseconds,
// with at most `count` of them, or {"error": "..."}.
#include "events/schedule/schedule_expression.h"

#include <boost/json.hpp>

#include <iostream>
#include <string>
#include <vector>

namespace {

using namespace lambda;
using namespace lambda::events;

boost::json::object error(const std::string& message) {
  return {{"error", message}};
}

boost::json::object answer(const std::vector<std::string>& columns) {
  if (columns.size() != 4) return error("not four columns");
  const auto expression = ScheduleExpression::parse(columns[0]);
  if (!expression) return error(expression.error().message());
  const auto zone = TimeZone::find(columns[1]);
  if (!zone) return error(zone.error().message());
  const WallTime after{std::chrono::seconds(std::stoll(columns[2]))};
  boost::json::array times;
  auto next = expression->next(after, *zone, after);
  for (auto left = std::stoi(columns[3]); left > 0 && next; --left) {
    times.emplace_back(next->time_since_epoch().count());
    next = expression->next(*next, *zone, after);
  }
  return {{"times", times}};
}

std::vector<std::string> columns_of(const std::string& line) {
  std::vector<std::string> columns(1);
  for (const char byte : line) {
    if (byte == '\t') {
      columns.emplace_back();
    } else {
      columns.back() += byte;
    }
  }
  return columns;
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);)
    std::cout << boost::json::serialize(answer(columns_of(line))) << '\n';
  return 0;
}
