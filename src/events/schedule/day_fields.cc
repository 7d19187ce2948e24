#include "events/schedule/day_fields.h"

#include <string>

namespace lambda::events {
namespace {

constexpr unsigned kLongestMonth = 31;
constexpr std::uint64_t kAllWeekdays = 0x7f;

// L, L-3, LW; or 15W. What else begins with L or ends with W is wrong.
Parsed<bool> parse_from_the_end(const Word& item, MonthDays& days) {
  const auto upper = upper_case(item.text);
  if (upper == "L") {
    days.before_last |= 1;
  } else if (upper == "LW") {
    days.last_weekday = true;
  } else if (upper.starts_with("L-")) {
    const auto before = to_number(item.part(2).text);
    if (!before || *before < 1 || *before >= kLongestMonth)
      return wrong(item, "L-3 is three days before the last day of the month: L-1 to L-30");
    days.before_last |= Days{1} << *before;
  } else if (upper.starts_with('L')) {
    return wrong(item,
                 "with L there are L (the last day), L-3 (three before it) and LW (the last "
                 "weekday)");
  } else {
    return false;
  }
  return true;
}

Parsed<bool> parse_nearest_weekday(const Word& item, MonthDays& days) {
  if (item.text.empty() || upper_case(item.text).back() != 'W') return false;
  const auto number = item.part(0, item.text.size() - 1);
  if (!is_number(number.text))
    return wrong(item, "W follows one day, as in 15W or LW: a list can have several, 1W,15W");
  const auto day = parse_value(number, day_field());
  if (!day) return tl::unexpected(day.error());
  days.nearest_weekday |= Days{1} << *day;
  return true;
}

std::uint8_t weekday_bits(const Span& span, WeekdayNumbers numbers) {
  const auto bits = numbers_of(span);
  const auto from_sunday = numbers == WeekdayNumbers::aws ? bits >> 1 : bits | bits >> 7;
  return static_cast<std::uint8_t>(from_sunday & kAllWeekdays);
}

class WeekDayItems {
 public:
  explicit WeekDayItems(WeekdayNumbers numbers)
      : numbers_(numbers),
        field_(numbers == WeekdayNumbers::aws ? aws_weekday_field() : weekday_field()) {}

  Parsed<bool> add(const Word& item) {
    const auto upper = upper_case(item.text);
    if (const auto hash = item.text.find('#'); hash != std::string_view::npos)
      return add_nth(item, hash);
    if (upper == "L") return add_last_of_week(item);
    if (upper.starts_with("L-"))
      return wrong(item, "L-3 is for days of the month; the last Friday is {}", friday_);
    if (upper.ends_with('L')) return add_last(item);
    const auto span = parse_span(item, field_);
    if (!span) return tl::unexpected(span.error());
    days.every |= weekday_bits(*span, numbers_);
    return true;
  }

  WeekDays days;

 private:
  Parsed<std::uint8_t> one_weekday(const Word& word) {
    const auto value = parse_value(word, field_);
    if (!value) return tl::unexpected(value.error());
    return weekday_bits(Span{*value, *value, 1}, numbers_);
  }

  Parsed<bool> add_nth(const Word& item, std::size_t hash) {
    const auto weekday = one_weekday(item.part(0, hash));
    if (!weekday) return tl::unexpected(weekday.error());
    const auto nth = to_number(item.part(hash + 1).text);
    if (!nth || *nth < 1 || *nth > days.nth.size()) {
      return wrong(item, "after # stands which one of the month, 1 to 5; the last one is {}L",
                   item.part(0, hash).text);
    }
    days.nth[*nth - 1] |= *weekday;
    return true;
  }

  Parsed<bool> add_last(const Word& item) {
    const auto weekday = one_weekday(item.part(0, item.text.size() - 1));
    if (!weekday) return tl::unexpected(weekday.error());
    days.last |= *weekday;
    return true;
  }

  Parsed<bool> add_last_of_week(const Word& item) {
    if (numbers_ == WeekdayNumbers::crontab)
      return wrong(item, "the last of which day? The month's last Friday is {}", friday_);
    days.every |= 1u << 6;
    return true;
  }

  WeekdayNumbers numbers_;
  const Field& field_;
  std::string_view friday_ = "FRIL";
};

}  // namespace

Parsed<MonthDays> parse_month_days(const Word& word) {
  MonthDays days;
  days.open = is_open(word);
  if (word.text == "?") {
    days.numbered = static_cast<Days>(numbers_of({1, kLongestMonth, 1}));
    return days;
  }
  for (const auto& item : split_at(word, ',')) {
    auto done = parse_from_the_end(item, days);
    if (done && !*done) done = parse_nearest_weekday(item, days);
    if (!done) return tl::unexpected(done.error());
    if (*done) continue;
    const auto span = parse_span(item, day_field());
    if (!span) return tl::unexpected(span.error());
    days.numbered |= static_cast<Days>(numbers_of(*span));
  }
  return days;
}

Parsed<WeekDays> parse_week_days(const Word& word, WeekdayNumbers numbers) {
  WeekDayItems items(numbers);
  items.days.open = is_open(word);
  if (word.text == "?") {
    items.days.every = kAllWeekdays;
    return items.days;
  }
  for (const auto& item : split_at(word, ',')) {
    const auto added = items.add(item);
    if (!added) return tl::unexpected(added.error());
  }
  return items.days;
}

}  // namespace lambda::events
