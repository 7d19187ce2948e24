#include "base/spoken_interval.h"

#include "base/encoding.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace lambda {
namespace {

struct Unit {
  std::string_view name;
  std::string_view shorter, shortest;
  std::string_view rate;  // the unit of rate(), of which there are `factor`; "" where it has none
  std::uint64_t factor = 1;
};
constexpr std::array<Unit, 5> kUnits = {{{"second", "sec", "s", ""},
                                         {"minute", "min", "m", "minute"},
                                         {"hour", "hr", "h", "hour"},
                                         {"day", "day", "d", "day"},
                                         {"week", "week", "w", "day", 7}}};
constexpr std::array<std::string_view, 5> kNames = {"hourly", "daily", "weekly", "monthly",
                                                    "yearly"};
constexpr std::size_t kMostDigits = 6;

void skip_blanks(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

const Unit* unit_of(std::string_view word) {
  const auto same = [word](const Unit& unit) {
    const auto single =
        word.size() > 1 && word.ends_with('s') ? word.substr(0, word.size() - 1) : word;
    return single == unit.name || single == unit.shorter || word == unit.shortest;
  };
  const auto* const found = std::ranges::find_if(kUnits, same);
  return found == kUnits.end() ? nullptr : found;
}

}  // namespace

std::string schedule_of_words(std::string_view text) {
  const auto lower = to_lower(text);
  std::string_view rest(lower);
  skip_blanks(rest);
  rest = rest.substr(0, rest.find_last_not_of(" \t") + 1);
  if (std::ranges::find(kNames, rest) != kNames.end()) return "@" + std::string(rest);
  bool every = false;
  for (const std::string_view word : {"@every", "every", "each"}) {
    if (!rest.starts_with(word)) continue;
    rest.remove_prefix(word.size());
    every = true;
    break;
  }
  skip_blanks(rest);
  const auto digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  if (digits > kMostDigits || (digits == 0 && !every)) return "";
  std::uint64_t number = digits == 0 ? 1 : 0;
  for (const char digit : rest.substr(0, digits))
    number = number * 10 + static_cast<std::uint64_t>(digit - '0');
  rest.remove_prefix(digits);
  skip_blanks(rest);
  const auto* unit = unit_of(rest);
  if (unit == nullptr || number == 0) return "";
  if (unit->rate.empty()) return fmt::format("@every {}s", number);
  number *= unit->factor;
  return fmt::format("rate({} {}{})", number, unit->rate, number == 1 ? "" : "s");
}

}  // namespace lambda
