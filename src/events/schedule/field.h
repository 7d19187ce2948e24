// Field: what one field of a cron expression may hold (its numbers, its names), and the syntax that
// all fields share: values, names, lists, ranges and steps. What only the two fields of days have
// (L, W, #, ?) is in day_fields.h.
//
// Pure, any thread; the fields are constants.
#pragma once

#include "events/schedule/word.h"

#include <bitset>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace lambda::events {

struct Field {
  std::string_view name;    // in the plural, as messages have it
  unsigned first;           // what `*` begins with
  unsigned last;            // ... and ends with
  unsigned greatest;        // what may be written; more than `last` only where 7 is Sunday too
  std::string_view remedy;  // what to do about a number out of range, or ""
  std::span<const std::string_view> names = {};
  unsigned first_named = 0;  // the number of names[0]
};

[[nodiscard]] const Field& second_field();
[[nodiscard]] const Field& minute_field();
[[nodiscard]] const Field& hour_field();
[[nodiscard]] const Field& day_field();
[[nodiscard]] const Field& month_field();
// 0 to 7: 0 and 7 are Sunday.
[[nodiscard]] const Field& weekday_field();
// 1 to 7: 1 is Sunday.
[[nodiscard]] const Field& aws_weekday_field();
[[nodiscard]] const Field& aws_year_field();

// One item of a list: first, first + step, ... up to last.
struct Span {
  unsigned first;
  unsigned last;
  unsigned step;
};

// A number or a name.
[[nodiscard]] Parsed<unsigned> parse_value(const Word& word, const Field& field);
// `*`, `*/5`, `7`, `7-12`, `7-12/2`, and `7/2`, which means from 7 to the end.
[[nodiscard]] Parsed<Span> parse_span(const Word& word, const Field& field);

// A whole field, as the set of its numbers. For fields below 64.
[[nodiscard]] Parsed<std::uint64_t> parse_numbers(const Word& word, const Field& field);
[[nodiscard]] std::uint64_t numbers_of(const Span& span);

inline constexpr unsigned kFirstYear = 1970;
inline constexpr unsigned kLastYear = 2199;
using Years = std::bitset<kLastYear - kFirstYear + 1>;  // bit 0 is kFirstYear
[[nodiscard]] Parsed<Years> parse_years(const Word& word);

// A field that begins with `*` or `?` leaves its unit open, whatever its step.
[[nodiscard]] inline bool is_open(const Word& word) {
  return word.text.starts_with('*') || word.text.starts_with('?');
}

}  // namespace lambda::events
