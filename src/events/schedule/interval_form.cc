#include "events/schedule/interval_form.h"

#include "base/nearest_word.h"

#include <algorithm>
#include <array>
#include <optional>

namespace lambda::events {
namespace {

using namespace std::chrono;

constexpr milliseconds kShortest = seconds(1);
constexpr milliseconds kLongest = days(36525);

struct Unit {
  std::string_view name;
  milliseconds length;
};

constexpr std::array<Unit, 4> kGoUnits = {
    {{"h", hours(1)}, {"m", minutes(1)}, {"s", seconds(1)}, {"ms", milliseconds(1)}}};
constexpr std::array<Unit, 3> kRateUnits = {
    {{"MINUTE", minutes(1)}, {"HOUR", hours(1)}, {"DAY", days(1)}}};

constexpr std::string_view kNumber = "0123456789.";

// "1.5" of a unit, where that is a whole number of milliseconds.
std::optional<milliseconds> amount(const std::vector<Word>& halves, milliseconds unit) {
  constexpr std::size_t most_digits = 6;
  const auto whole = to_number(halves.front().text);
  if (!whole || halves.size() > 2) return std::nullopt;
  auto sum = *whole * unit;
  if (halves.size() == 2) {
    const auto fraction = to_number(halves[1].text);
    if (!fraction || halves[1].text.size() > most_digits) return std::nullopt;
    std::int64_t parts = 1;
    for (std::size_t i = 0; i < halves[1].text.size(); ++i) parts *= 10;
    if (*fraction * unit.count() % parts != 0) return std::nullopt;
    sum += *fraction * unit / parts;
  }
  return sum;
}

// One "1.5h" at the front of `rest`, which then begins behind it.
Parsed<milliseconds> take_part(Word& rest) {
  const auto digits = std::min(rest.text.find_first_not_of(kNumber), rest.text.size());
  const auto number = rest.part(0, digits);
  const auto behind = rest.part(digits);
  const auto unit_end = std::min(behind.text.find_first_of(kNumber), behind.text.size());
  const auto unit = behind.part(0, unit_end);
  if (number.text.empty())
    return wrong(rest, "a duration is a number and a unit, as in 90s, 5m or 1h30m");
  if (unit.text.empty())
    return wrong(number, "its unit is missing: {}s, {}m or {}h", number.text, number.text,
                 number.text);
  const auto* const known = std::find_if(kGoUnits.begin(), kGoUnits.end(),
                                         [&](const Unit& each) { return each.name == unit.text; });
  if (known == kGoUnits.end()) {
    const auto upper = upper_case(unit.text);
    if (upper.starts_with('D') || upper.starts_with('W'))
      return wrong(unit, "there is no such unit: a day is 24h, a week 168h");
    return wrong(unit, "the units are h, m, s and ms");
  }
  const auto length = amount(split_at(number, '.'), known->length);
  if (!length) return wrong(number, "the number has too many digits, or more than one point");
  rest = behind.part(unit_end);
  return *length;
}

Parsed<milliseconds> within_limits(const Word& word, milliseconds interval) {
  if (interval < kShortest) return wrong(word, "the shortest interval is 1s");
  if (interval > kLongest) return wrong(word, "the longest interval is 100 years");
  return interval;
}

}  // namespace

Parsed<milliseconds> parse_every(const Word& duration) {
  if (duration.text.empty())
    return wrong(duration, "after @every stands how long: 90s, 5m or 1h30m");
  milliseconds sum{0};
  for (auto rest = duration; !rest.text.empty();) {
    const auto part = take_part(rest);
    if (!part) return part;
    sum += *part;
    if (sum > kLongest) break;
  }
  return within_limits(duration, sum);
}

Parsed<milliseconds> parse_rate(const Word& inside) {
  const auto words = split_at_blanks(inside);
  if (words.size() != 2)
    return wrong(inside, "a rate is a number and a unit, as in rate(5 minutes)");
  const auto number = to_number(words[0].text);
  if (!number) return wrong(words[0], "a rate is a whole number, as in rate(5 minutes)");
  if (*number == 0) return wrong(words[0], "the number is at least 1");
  const auto written = upper_case(words[1].text);
  const bool plural = written.ends_with('S');
  const auto unit = written.substr(0, written.size() - (plural ? 1 : 0));
  const auto* const known = std::find_if(kRateUnits.begin(), kRateUnits.end(),
                                         [&](const Unit& each) { return each.name == unit; });
  if (known == kRateUnits.end()) {
    if (unit == "SECOND") return wrong(words[1], "for seconds write @every {}s", *number);
    return wrong(words[1], "the units are minutes, hours and days");
  }
  if (plural == (*number == 1)) {
    return wrong(words[1], "with {} the unit is {}: rate({} {})", *number,
                 plural ? "singular" : "plural", *number,
                 plural ? words[1].text.substr(0, unit.size()) : std::string(words[1].text) + "s");
  }
  return within_limits(words[0], *number * known->length);
}

WallTime next_tick(WallTime anchor, milliseconds interval, WallTime after) {
  const auto passed = after - anchor;
  auto whole = passed / interval;
  if (passed % interval < milliseconds(0)) --whole;
  return anchor + (whole + 1) * interval;
}

}  // namespace lambda::events
