#include "events/schedule/calendar_form.h"

namespace lambda::events {
namespace {

// Reads one field after the other until one is wrong.
class FieldReader {
 public:
  void numbers(const Word& word, const Field& field, std::uint64_t& into) {
    take(parse_numbers(word, field), into);
  }

  template <class T, class Into>
  void take(Parsed<T>&& parsed, Into& into) {
    if (error_) return;
    if (parsed) {
      into = *parsed;
    } else {
      error_ = std::move(parsed.error());
    }
  }

  [[nodiscard]] std::optional<SyntaxError>& error() { return error_; }

 private:
  std::optional<SyntaxError> error_;
};

bool fires(const CalendarPattern& pattern) {
  return pattern
      .first_from(LocalTime(std::chrono::local_days(
          std::chrono::year(static_cast<int>(kFirstYear)) / std::chrono::January / 1)))
      .has_value();
}

tl::unexpected<SyntaxError> never_fires(const CalendarWords& words) {
  const auto& days = is_open(words.month_days) ? words.week_days : words.month_days;
  return wrong(days,
               "it would never fire: no such day is in {} {}{}{}; the last day of a month is L",
               words.months.text == "*" ? "any month," : "month", words.months.text,
               words.years ? " of the years " : "", words.years ? words.years->text : "");
}

}  // namespace

Parsed<CalendarPattern> parse_calendar(const CalendarWords& words) {
  CalendarPattern pattern;
  FieldReader reader;
  if (words.seconds) reader.numbers(*words.seconds, second_field(), pattern.seconds);
  reader.numbers(words.minutes, minute_field(), pattern.minutes);
  reader.numbers(words.hours, hour_field(), pattern.hours);
  reader.take(parse_month_days(words.month_days), pattern.days.month_days);
  reader.numbers(words.months, month_field(), pattern.months);
  reader.take(parse_week_days(words.week_days, words.weekday_numbers), pattern.days.week_days);
  if (words.years) reader.take(parse_years(*words.years), pattern.years);
  if (reader.error()) return tl::unexpected(std::move(*reader.error()));
  pattern.open_hours = is_open(words.hours);
  if (!fires(pattern)) return never_fires(words);
  return pattern;
}

}  // namespace lambda::events
