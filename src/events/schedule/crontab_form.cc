#include "events/schedule/crontab_form.h"

#include "base/nearest_word.h"
#include "base/spoken_interval.h"
#include "events/schedule/calendar_form.h"

#include <array>

namespace lambda::events {
namespace {

struct Shorthand {
  std::string_view name;
  std::string_view fields;
};

constexpr std::array<Shorthand, 7> kShorthands = {{{"@HOURLY", "0 * * * *"},
                                                   {"@DAILY", "0 0 * * *"},
                                                   {"@MIDNIGHT", "0 0 * * *"},
                                                   {"@WEEKLY", "0 0 * * 0"},
                                                   {"@MONTHLY", "0 0 1 * *"},
                                                   {"@YEARLY", "0 0 1 1 *"},
                                                   {"@ANNUALLY", "0 0 1 1 *"}}};

constexpr auto kFiveFields = "minute hour day-of-month month day-of-week";

tl::unexpected<SyntaxError> wrong_count(const Word& text, const std::vector<Word>& fields) {
  if (fields.size() < 5) {
    if (const auto meant = schedule_of_words(text.text); !meant.empty())
      return wrong(text, "did you mean {}?", meant);
    return wrong(text, "{} field{} of five: {}; * stands for any", fields.size(),
                 fields.size() == 1 ? "" : "s", kFiveFields);
  }
  return wrong(fields[6],
               "{} fields are too many: five ({}), or six with seconds first; a year is written in "
               "cron(minute hour day-of-month month day-of-week year)",
               fields.size(), kFiveFields);
}

}  // namespace

Parsed<CalendarPattern> parse_crontab(const Word& text) {
  const auto fields = split_at_blanks(text);
  if (!fields.empty() && fields.front().text.find('=') != std::string_view::npos)
    return wrong(fields.front(), "the time zone is given apart, not in the expression");
  if (fields.size() != 5 && fields.size() != 6) return wrong_count(text, fields);
  if (fields.size() == 6 && to_number(fields[5].text).value_or(0) >= kFirstYear) {
    return wrong(fields[5], "six fields begin with seconds; with a year at the end write cron({})",
                 text.text);
  }
  CalendarWords words;
  const auto* next = fields.data();
  if (fields.size() == 6) words.seconds = *next++;
  words.minutes = *next++;
  words.hours = *next++;
  words.month_days = *next++;
  words.months = *next++;
  words.week_days = *next++;
  return parse_calendar(words);
}

Parsed<CalendarPattern> parse_shorthand(const Word& text) {
  const auto upper = upper_case(text.text);
  std::vector<std::string> names = {"@EVERY"};
  for (const auto& [name, fields] : kShorthands) {
    if (upper == name) return parse_crontab({fields, text.offset});
    names.emplace_back(name);
  }
  if (upper == "@REBOOT") {
    return wrong(text,
                 "a schedule goes by time, and there is no reboot to go by; @hourly, @daily or "
                 "@every 5m do");
  }
  const auto near = nearest_word(upper, names);
  if (near.empty()) {
    return wrong(text,
                 "there are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually "
                 "and @every 90s");
  }
  std::string lower = near;
  for (auto& letter : lower)
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  return wrong(text, "did you mean {}?", lower);
}

}  // namespace lambda::events
