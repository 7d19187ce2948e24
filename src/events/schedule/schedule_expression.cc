// Which form is it? Then the parser of that form; what it finds wrong becomes an Error here.
#include "events/schedule/schedule_expression.h"

#include "base/encoding.h"
#include "base/spoken_interval.h"
#include "events/schedule/aws_form.h"
#include "events/schedule/clock_rules.h"
#include "events/schedule/crontab_form.h"
#include "events/schedule/interval_form.h"

#include <algorithm>

namespace lambda::events {
namespace {

using namespace std::chrono;

constexpr std::size_t kLongestExpression = 512;
constexpr WallTime kEarliest = sys_days(year(1) / January / 1);
constexpr WallTime kLatest = sys_days(year(10000) / January / 1) - milliseconds(1);

// AWS's way to write a call, "rate(5 minutes)".
struct Call {
  Word name;
  Word inside;
};

using Kind = std::variant<CalendarPattern, milliseconds, LocalTime>;

template <class T>
Parsed<Kind> as_kind(const Parsed<T>& parsed) {
  return parsed.map([](const T& value) { return Kind(value); });
}

std::optional<Call> as_call(const Word& word) {
  const auto open = word.text.find('(');
  if (open == std::string_view::npos) return std::nullopt;
  const auto name = trimmed(word.part(0, open));
  // Fields of a cron expression stand before it, or it is Jenkins's H(0-29).
  if (name.text.find_first_of(" \t*?,/0123456789") != std::string_view::npos) return std::nullopt;
  if (name.text.empty() || upper_case(name.text) == "H") return std::nullopt;
  return Call{name, word.part(open + 1)};
}

Parsed<Kind> parse_call(const Call& call) {
  const auto name = upper_case(call.name.text);
  const bool known = name == "RATE" || name == "CRON" || name == "AT";
  if (!known) {
    return wrong(call.name,
                 "AWS's forms are rate(5 minutes), cron(0 12 * * ? *) and "
                 "at(2026-01-31T09:30:00)");
  }
  if (!call.inside.text.ends_with(')')) return wrong(call.inside, "a ) is missing at the end");
  const auto inside = trimmed(call.inside.part(0, call.inside.text.size() - 1));
  if (name == "RATE") return as_kind(parse_rate(inside));
  if (name == "CRON") return as_kind(parse_aws_cron(inside));
  return as_kind(parse_at(inside));
}

Parsed<Kind> parse_at_sign(const Word& word) {
  const auto end = std::min(word.text.find_first_of(" \t"), word.text.size());
  if (upper_case(word.text.substr(0, end)) == "@EVERY") {
    const auto duration = trimmed(word.part(end));
    // "@every 5 minutes"; where there is one word, the parser knows more.
    const bool spoken = duration.text.find_first_of(" \t") != std::string_view::npos;
    if (const auto meant = schedule_of_words(word.text); spoken && !meant.empty())
      return wrong(word, "did you mean {}?", meant);
    return as_kind(parse_every(duration));
  }
  return as_kind(parse_shorthand(word));
}

Parsed<Kind> parse_any(const Word& word) {
  if (word.text.starts_with('@')) return parse_at_sign(word);
  if (const auto call = as_call(word)) return parse_call(*call);
  return as_kind(parse_crontab(word));
}

// Columns are counted in characters, from 1.
std::size_t column(std::string_view text, std::size_t offset) {
  return 1 + count_characters(text.substr(0, offset));
}

tl::unexpected<Error> explain(std::string_view text, const SyntaxError& error) {
  return fail(ErrorCode::invalid, "\"{}\" is not a schedule: column {}, \"{}\": {}", text,
              column(text, error.offset), error.wrong, error.reason);
}

bool is_control(char byte) {
  return (static_cast<unsigned char>(byte) < 0x20 && byte != '\t') || byte == 0x7f;
}

}  // namespace

Result<ScheduleExpression> ScheduleExpression::parse(std::string_view text) {
  const auto word = trimmed({text, 0});
  if (word.text.empty()) {
    return fail(ErrorCode::invalid,
                "the schedule is empty; \"0 * * * *\" is every hour, \"@every 90s\" every 90 s");
  }
  if (word.text.size() > kLongestExpression) {
    return fail(ErrorCode::invalid, "the schedule has {} characters; at most {} are read",
                word.text.size(), kLongestExpression);
  }
  if (std::any_of(word.text.begin(), word.text.end(), is_control)) {
    return fail(ErrorCode::invalid,
                "the schedule has a line break or another control character; it is one line");
  }
  const auto kind = parse_any({word.text, 0});
  if (!kind) return explain(word.text, kind.error());
  return ScheduleExpression(std::string(word.text), *kind);
}

std::optional<WallTime> ScheduleExpression::next(WallTime after, const TimeZone& zone,
                                                 WallTime anchor) const {
  // Outside of these years the arithmetic of calendars ends.
  after = std::clamp(after, kEarliest, kLatest);
  anchor = std::clamp(anchor, kEarliest, kLatest);
  const auto whole_second = floor<seconds>(after);
  std::optional<WallTime> found;
  if (const auto* pattern = std::get_if<CalendarPattern>(&kind_)) {
    found = next_firing(*pattern, whole_second, zone);
  } else if (const auto* interval = std::get_if<milliseconds>(&kind_)) {
    found = next_tick(anchor, *interval, after);
  } else if (const auto moment = first_moment(std::get<LocalTime>(kind_), zone);
             moment > whole_second) {
    found = moment;
  }
  if (found && *found > kLatest) return std::nullopt;
  return found;
}

}  // namespace lambda::events
