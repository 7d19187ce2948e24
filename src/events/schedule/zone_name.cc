#include "events/schedule/zone_name.h"

#include "base/nearest_word.h"
#include "events/schedule/word.h"

#include <algorithm>

namespace lambda::events {
namespace {

constexpr std::size_t kLongestName = 64;

std::string city_of(const std::string& zone) {
  return zone.substr(zone.rfind('/') + 1);
}

// "UTC+2", "GMT-05:00", "+02": the zones with fixed offsets have their signs turned.
std::string fixed_offset(std::string_view name) {
  if (name.starts_with("UTC") || name.starts_with("GMT")) name.remove_prefix(3);
  if (!name.starts_with('+') && !name.starts_with('-')) return {};
  const bool east = name.front() == '+';
  name.remove_prefix(1);
  if (name.ends_with(":00")) name.remove_suffix(3);
  const auto hours = to_number(name);
  if (!hours || *hours > (east ? 14u : 12u)) return {};
  return fmt::format("Etc/GMT{}{}", *hours == 0 || !east ? '+' : '-', *hours);
}

}  // namespace

std::string likely_zone(std::string_view name, const std::vector<std::string>& names) {
  if (name.size() > kLongestName) return {};
  auto wanted = upper_case(name);
  std::replace(wanted.begin(), wanted.end(), ' ', '_');
  if (auto fixed = fixed_offset(wanted); !fixed.empty()) return fixed;
  std::vector<std::string> upper;
  std::vector<std::string> cities;
  for (const auto& each : names) {
    upper.push_back(upper_case(each));
    cities.push_back(city_of(upper.back()));
  }
  const auto original = [&](const std::vector<std::string>& in, const std::string& word) {
    const auto found = std::find(in.begin(), in.end(), word);
    return word.empty() || found == in.end() ? std::string()
                                             : names[static_cast<std::size_t>(found - in.begin())];
  };
  for (const auto& candidate : {original(upper, wanted), original(cities, city_of(wanted)),
                                original(upper, nearest_word(wanted, upper)),
                                original(cities, nearest_word(city_of(wanted), cities))}) {
    if (!candidate.empty()) return candidate;
  }
  return {};
}

}  // namespace lambda::events
