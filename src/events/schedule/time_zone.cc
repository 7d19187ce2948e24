// date-tz lists a zone's changes; what comes after the last of them is computed from the rule at
// the end of the zone's file, which date-tz does not read.
#include "events/schedule/time_zone.h"

#include "events/schedule/zone_name.h"

#include <date/tz.h>

#include <exception>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

namespace lambda::events {
namespace {

using namespace std::chrono;

constexpr auto kZoneFiles = "/usr/share/zoneinfo/";
constexpr std::size_t kLongestName = 64;
// What some machines have beside the zones: not the same thing everywhere.
constexpr std::string_view kMachinesOwn = "localtime";

std::string last_line(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (bytes.size() < 2 || bytes.back() != '\n') return {};
  const auto before = bytes.rfind('\n', bytes.size() - 2);
  return before == std::string::npos ? "" : bytes.substr(before + 1, bytes.size() - before - 2);
}

Error no_such_zone(std::string_view name) {
  if (name.size() > kLongestName) return {ErrorCode::invalid, "the time zone's name is too long"};
  std::vector<std::string> names;
  for (const auto& zone : date::get_tzdb().zones)
    if (zone.name() != kMachinesOwn) names.push_back(zone.name());
  const auto likely = likely_zone(name, names);
  return {ErrorCode::invalid,
          likely.empty()
              ? fmt::format("there is no time zone \"{}\"; names are those of the IANA database, "
                            "such as Europe/Berlin or UTC",
                            name)
              : fmt::format("there is no time zone \"{}\"; did you mean \"{}\"?", name, likely)};
}

const date::time_zone* listed_zone(std::string_view name) {
  for (const auto& zone : date::get_tzdb().zones)
    if (zone.name() == name && name != kMachinesOwn) return &zone;
  return nullptr;
}

}  // namespace

// Those that were found before: there are some six hundred.
Result<TimeZone> TimeZone::find(std::string_view name) {
  static std::mutex mutex;
  static std::map<std::string, TimeZone, std::less<>> known;
  if (name == TimeZone().name_) return TimeZone();
  const std::lock_guard guard(mutex);
  if (const auto found = known.find(name); found != known.end()) return found->second;
  auto read = read_zone(name);
  if (read) known.emplace(std::string(name), *read);
  return read;
}

Result<TimeZone> TimeZone::read_zone(std::string_view name) {
  TimeZone zone;
  try {
    zone.listed_ = listed_zone(name);
    if (zone.listed_ == nullptr) return fail(no_such_zone(name));
    zone.name_ = std::string(name);
    // This also makes date-tz read the zone's file, now and not at the first firing.
    const auto far_away = sys_seconds(sys_days(year(9999) / 1 / 1));
    zone.rule_from_ = zone.listed_->get_info(far_away).begin;
    zone.rule_ = PosixRule::parse(last_line(kZoneFiles + zone.name_));
    return zone;
  } catch (const std::exception& error) {
    return fail(ErrorCode::unavailable,
                "read time zone \"{}\": {}; the database is Debian's package tzdata", name,
                error.what());
  }
}

OffsetPeriod TimeZone::period(sys_seconds time) const {
  if (listed_ == nullptr)
    return {sys_days(year::min() / 1 / 1), sys_days(year::max() / 1 / 1), seconds(0)};
  if (rule_ && time >= rule_from_) {
    auto by_rule = rule_->period(time);
    by_rule.begin = std::max(by_rule.begin, rule_from_);
    return by_rule;
  }
  const auto info = listed_->get_info(time);
  return {info.begin, info.end, info.offset};
}

}  // namespace lambda::events
