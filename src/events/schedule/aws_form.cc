#include "events/schedule/aws_form.h"

#include "events/schedule/calendar_form.h"

namespace lambda::events {
namespace {

using namespace std::chrono;

constexpr auto kSixFields = "minute hour day-of-month month day-of-week year";
constexpr std::string_view kAtShape = "0000-00-00T00:00:00";

bool is_question(const Word& word) {
  return word.text == "?";
}

std::optional<SyntaxError> wrong_questions(const CalendarWords& words) {
  if (is_question(words.month_days) != is_question(words.week_days)) return std::nullopt;
  if (is_question(words.month_days))
    return wrong(words.week_days, "only one of the two days can be ?; write * for the other")
        .value();
  const bool any_day = words.month_days.text == "*" && words.week_days.text != "*";
  return wrong(any_day ? words.month_days : words.week_days,
               "in cron(...) one of day-of-month and day-of-week is ?: write ? here (five fields "
               "without cron(...) can have both)")
      .value();
}

bool has_shape(std::string_view text) {
  if (text.size() != kAtShape.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kAtShape[i] == '0' ? !digit : text[i] != kAtShape[i]) return false;
  }
  return true;
}

tl::unexpected<SyntaxError> wrong_shape(const Word& word) {
  const auto& text = word.text;
  const bool zoned = text.size() > kAtShape.size() && has_shape(text.substr(0, kAtShape.size()));
  if (zoned) {
    return wrong(word.part(kAtShape.size()),
                 "the time is local and ends with its seconds; the time zone is given apart");
  }
  return wrong(word, "a time is written yyyy-mm-ddThh:mm:ss, as in at(2026-01-31T09:30:00)");
}

}  // namespace

Parsed<CalendarPattern> parse_aws_cron(const Word& inside) {
  const auto fields = split_at_blanks(inside);
  if (fields.size() != 6) {
    return wrong(inside, "cron(...) has six fields, not {}: {}, as in cron(0 12 * * ? *)",
                 fields.size(), kSixFields);
  }
  CalendarWords words;
  words.minutes = fields[0];
  words.hours = fields[1];
  words.month_days = fields[2];
  words.months = fields[3];
  words.week_days = fields[4];
  words.years = fields[5];
  words.weekday_numbers = WeekdayNumbers::aws;
  if (auto questions = wrong_questions(words)) return tl::unexpected(std::move(*questions));
  return parse_calendar(words);
}

Parsed<LocalTime> parse_at(const Word& inside) {
  const auto word = trimmed(inside);
  if (!has_shape(word.text)) return wrong_shape(word);
  const auto number = [&](std::size_t from, std::size_t count) {
    return *to_number(word.text.substr(from, count));
  };
  const year_month_day date{year(static_cast<int>(number(0, 4))), month(number(5, 2)),
                            day(number(8, 2))};
  if (number(0, 4) < kFirstYear || number(0, 4) > kLastYear)
    return wrong(word.part(0, 4), "years go from {} to {}", kFirstYear, kLastYear);
  if (!date.month().ok()) return wrong(word.part(5, 2), "months go from 01 to 12");
  if (!date.ok()) {
    return wrong(word.part(8, 2), "days of that month go from 01 to {}",
                 static_cast<unsigned>((date.year() / date.month() / last).day()));
  }
  if (number(11, 2) > 23) return wrong(word.part(11, 2), "hours go from 00 to 23");
  if (number(14, 2) > 59) return wrong(word.part(14, 2), "minutes go from 00 to 59");
  if (number(17, 2) > 59) return wrong(word.part(17, 2), "seconds go from 00 to 59");
  return local_days(date) + hours(number(11, 2)) + minutes(number(14, 2)) + seconds(number(17, 2));
}

}  // namespace lambda::events
