// The tables of the fields; then, from the smallest to the largest: a value, a step, a span (with
// what to say about a range that runs backwards), a list.
#include "events/schedule/field.h"

#include "base/nearest_word.h"

#include <algorithm>
#include <array>
#include <string>

namespace lambda::events {
namespace {

using namespace std::string_view_literals;

constexpr std::array kMonthNames = {"JAN"sv, "FEB"sv, "MAR"sv, "APR"sv, "MAY"sv, "JUN"sv,
                                    "JUL"sv, "AUG"sv, "SEP"sv, "OCT"sv, "NOV"sv, "DEC"sv};
constexpr std::array kWeekdayNames = {"SUN"sv, "MON"sv, "TUE"sv, "WED"sv,
                                      "THU"sv, "FRI"sv, "SAT"sv};

std::string name_of(unsigned value, const Field& field) {
  const auto index = value - field.first_named;
  return index < field.names.size() ? std::string(field.names[index]) : std::to_string(value);
}

bool is_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// What is neither a number nor a name of this field.
tl::unexpected<SyntaxError> not_a_value(const Word& word, const Field& field) {
  const auto upper = upper_case(word.text);
  if (upper.empty()) {
    return wrong(word, "a value is missing: {} go from {} to {}", field.name, field.first,
                 field.greatest);
  }
  if (upper == "H" || upper.starts_with("H(")) {
    return wrong(word, "H is Jenkins's; choose a number, {} to {}", field.first, field.last);
  }
  if (upper.find('?') != std::string::npos)
    return wrong(word, "? stands alone, for the day of the month or of the week; write *");
  if (upper.find('*') != std::string::npos)
    return wrong(word, "* stands alone or before a step: * or */5");
  if (upper.find('#') != std::string::npos)
    return wrong(word, "# is for days of the week: FRI#3 is the third Friday");
  std::vector<std::string> names(field.names.begin(), field.names.end());
  for (const auto& name : names) {
    if (upper.starts_with(name)) return wrong(word, "names have three letters: write {}", name);
  }
  if (const auto near = nearest_word(upper, names); !near.empty())
    return wrong(word, "did you mean {}?", near);
  if (upper == "L" || upper.starts_with("L-") || (upper.size() > 1 && upper.ends_with('L')))
    return wrong(word, "L is for days: L is the last day of the month, FRIL its last Friday");
  if (upper.ends_with('W'))
    return wrong(word, "W is for days of the month: 15W is the weekday nearest to the 15th");
  if (!names.empty() && is_letter(upper.front())) {
    return wrong(word, "{} are {} to {}, or {} to {}", field.name, field.first, field.greatest,
                 names.front(), names.back());
  }
  return wrong(word, "{} are numbers from {} to {}", field.name, field.first, field.greatest);
}

Parsed<unsigned> parse_step(const Word& word, const Field& field) {
  const unsigned count = field.last - field.first + 1;
  if (!is_number(word.text))
    return wrong(word, "after / stands a number: every how many {}", field.name);
  const auto step = to_number(word.text);
  if (step == 0u) return wrong(word, "a step of 0 never moves on: at least 1");
  if (step && *step <= count) return *step;
  if (step && &field == &minute_field()) {
    return wrong(word, "the step is longer than an hour; for every {} minutes write @every {}m",
                 *step, *step);
  }
  if (step && &field == &hour_field()) {
    return wrong(word, "the step is longer than a day; for every {} hours write @every {}h", *step,
                 *step);
  }
  return wrong(word, "the step is longer than the whole field: at most {}", count);
}

std::string range_text(unsigned first, unsigned last, const Field& field, bool names) {
  const auto text = [&](unsigned value) {
    return names ? name_of(value, field) : std::to_string(value);
  };
  return first == last ? text(first) : fmt::format("{}-{}", text(first), text(last));
}

// 22-2 would have to run over the end. Says the list that means it.
tl::unexpected<SyntaxError> runs_backwards(const Word& word, const Span& span, const Field& field,
                                           bool names) {
  std::string list;
  if (span.first > field.last) {  // 7-3, where 7 is 0
    list = range_text(field.first, span.last, field, names);
    if (span.step > 1) list += fmt::format("/{}", span.step);
  } else if (span.step == 1) {
    list = range_text(span.first, field.last, field, names);
    list += "," + range_text(field.first, span.last, field, names);
  } else {
    const unsigned count = field.last - field.first + 1;
    for (unsigned value = span.first; value <= span.last + count; value += span.step) {
      if (!list.empty()) list += ",";
      const unsigned folded = value > field.last ? value - count : value;
      list += names ? name_of(folded, field) : std::to_string(folded);
    }
  }
  return wrong(word, "the range runs backwards: write {}", list);
}

// The two ends of a range, or a value that stands for both.
Parsed<Span> parse_range(const Word& word, const Word& whole, const Field& field, unsigned step) {
  const auto dash = word.text.find('-');
  if (dash == std::string_view::npos) {
    const auto value = parse_value(word, field);
    if (!value) return tl::unexpected(value.error());
    return Span{*value, *value, step};
  }
  if (const auto upper = upper_case(word.text); upper.starts_with("L-"))
    return not_a_value(word, field);
  const auto first = parse_value(word.part(0, dash), field);
  if (!first) return tl::unexpected(first.error());
  const auto end_word = word.part(dash + 1);
  auto last = parse_value(end_word, field);
  if (!last) return tl::unexpected(last.error());
  const bool named = is_letter(end_word.text.front());
  // FRI-SUN: at the end of a range the name means the Sunday after, where that has a number.
  const bool sunday_twice = field.greatest > field.last;
  if (named && sunday_twice && *last == field.first && *first > *last) last = field.greatest;
  const Span span{*first, *last, step};
  if (*last < *first)
    return runs_backwards(whole, span, field, named || is_letter(word.text.front()));
  return span;
}

}  // namespace

const Field& second_field() {
  static constexpr Field field{"seconds", 0, 59, 59, ""};
  return field;
}

const Field& minute_field() {
  static constexpr Field field{"minutes", 0, 59, 59, ""};
  return field;
}

const Field& hour_field() {
  static constexpr Field field{"hours", 0, 23, 23, "midnight is 0"};
  return field;
}

const Field& day_field() {
  static constexpr Field field{"days of the month", 1, 31, 31, "L is the last day"};
  return field;
}

const Field& month_field() {
  static constexpr Field field{"months", 1, 12, 12, "", kMonthNames, 1};
  return field;
}

const Field& weekday_field() {
  static constexpr Field field{"days of the week", 0, 6, 7, "0 and 7 are Sunday", kWeekdayNames, 0};
  return field;
}

const Field& aws_weekday_field() {
  static constexpr Field field{
      "days of the week in cron(...)", 1, 7, 7, "1 is SUN and 7 is SAT", kWeekdayNames, 1};
  return field;
}

const Field& aws_year_field() {
  static constexpr Field field{"years", kFirstYear, kLastYear, kLastYear, ""};
  return field;
}

Parsed<unsigned> parse_value(const Word& word, const Field& field) {
  if (is_number(word.text)) {
    const auto number = to_number(word.text);
    if (number && *number >= field.first && *number <= field.greatest) return *number;
    return wrong(word, "{} go from {} to {}{}{}", field.name, field.first, field.greatest,
                 field.remedy.empty() ? "" : "; ", field.remedy);
  }
  const auto upper = upper_case(word.text);
  for (unsigned index = 0; index < field.names.size(); ++index)
    if (upper == field.names[index]) return field.first_named + index;
  return not_a_value(word, field);
}

Parsed<Span> parse_span(const Word& word, const Field& field) {
  const auto slash = word.text.find('/');
  const auto range = word.part(0, slash);
  unsigned step = 1;
  if (slash != std::string_view::npos) {
    if (upper_case(range.text) == "H") return not_a_value(range, field);
    const auto parsed = parse_step(word.part(slash + 1), field);
    if (!parsed) return tl::unexpected(parsed.error());
    step = *parsed;
  }
  if (range.text == "*") return Span{field.first, field.last, step};
  auto span = parse_range(range, word, field, step);
  const bool to_the_end =
      slash != std::string_view::npos && range.text.find('-') == std::string_view::npos;
  if (span && to_the_end) span->last = std::max(field.last, span->first);
  return span;
}

std::uint64_t numbers_of(const Span& span) {
  std::uint64_t numbers = 0;
  for (auto value = span.first; value <= span.last; value += span.step)
    numbers |= std::uint64_t{1} << value;
  return numbers;
}

Parsed<std::uint64_t> parse_numbers(const Word& word, const Field& field) {
  std::uint64_t numbers = 0;
  for (const auto& item : split_at(word, ',')) {
    const auto span = parse_span(item, field);
    if (!span) return tl::unexpected(span.error());
    numbers |= numbers_of(*span);
  }
  return numbers;
}

Parsed<Years> parse_years(const Word& word) {
  Years years;
  for (const auto& item : split_at(word, ',')) {
    const auto span = parse_span(item, aws_year_field());
    if (!span) return tl::unexpected(span.error());
    for (auto year = span->first; year <= span->last; year += span->step)
      years.set(year - kFirstYear);
  }
  return years;
}

}  // namespace lambda::events
