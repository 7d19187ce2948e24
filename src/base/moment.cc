#include "base/moment.h"

#include <charconv>
#include <cstdint>

namespace lambda {
namespace {

using std::chrono::milliseconds;

// Reads what it is asked for from the front; `ok` tells whether all of it was there.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  int digits(std::size_t count) {
    int value = 0;
    if (rest_.size() < count) ok_ = false;
    if (!ok_) return 0;
    const auto part = rest_.substr(0, count);
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    ok_ = error == std::errc() && end == part.data() + part.size() && part.front() != '-';
    rest_.remove_prefix(count);
    return value;
  }
  void expect(char wanted) { ok_ = take(wanted) && ok_; }
  bool take(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // After a point: "5" is 500.
  milliseconds fraction() {
    int scale = 100;
    milliseconds value{0};
    if (rest_.empty()) ok_ = false;
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
      value += milliseconds((rest_.front() - '0') * scale);
      scale /= 10;
      rest_.remove_prefix(1);
    }
    return value;
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

std::optional<std::chrono::minutes> read_zone(Reader& reader) {
  if (reader.empty() || reader.take('Z') || reader.take('z')) return std::chrono::minutes(0);
  const bool east = reader.take('+');
  if (!east && !reader.take('-')) return std::nullopt;
  const int hours = reader.digits(2);
  (void)reader.take(':');
  const int minutes = reader.digits(2);
  if (!reader.ok() || hours > 14 || minutes > 59) return std::nullopt;
  return std::chrono::minutes((east ? 1 : -1) * (hours * 60 + minutes));
}

std::optional<WallTime> parse_time(std::string_view text) {
  Reader reader(text);
  const int year = reader.digits(4);
  reader.expect('-');
  const int month = reader.digits(2);
  reader.expect('-');
  const int day = reader.digits(2);
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!reader.ok() || !date.ok()) return std::nullopt;
  WallTime time = std::chrono::sys_days(date);
  if (reader.empty()) return time;
  if (!reader.take('T') && !reader.take('t')) reader.expect(' ');
  const int hours = reader.digits(2);
  reader.expect(':');
  const int minutes = reader.digits(2);
  const int seconds = reader.take(':') ? reader.digits(2) : 0;
  if (!reader.ok() || hours > 23 || minutes > 59 || seconds > 60) return std::nullopt;
  time += std::chrono::hours(hours) + std::chrono::minutes(minutes) + std::chrono::seconds(seconds);
  if (reader.take('.')) time += reader.fraction();
  const auto zone = read_zone(reader);
  if (!zone || !reader.ok() || !reader.empty()) return std::nullopt;
  return time - *zone;
}

std::optional<WallTime> parse_epoch(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (text.size() == 10) return WallTime(std::chrono::seconds(number));
  if (text.size() == 13) return WallTime(milliseconds(number));
  return std::nullopt;
}

}  // namespace

std::optional<std::chrono::seconds> parse_length(std::string_view text) {
  std::chrono::seconds all{0};
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const auto used = static_cast<std::size_t>(end - text.data());
    // A hundred years are enough, and overflow nothing.
    if (error != std::errc() || used == text.size() || number < 0 || number > 3'153'600'000)
      return std::nullopt;
    switch (text[used]) {
      case 's':
        all += std::chrono::seconds(number);
        break;
      case 'm':
        all += std::chrono::minutes(number);
        break;
      case 'h':
        all += std::chrono::hours(number);
        break;
      case 'd':
        all += std::chrono::days(number);
        break;
      case 'w':
        all += std::chrono::weeks(number);
        break;
      default:
        return std::nullopt;
    }
    text.remove_prefix(used + 1);
  }
  if (all.count() == 0 || all > std::chrono::days(36'500)) return std::nullopt;
  return all;
}

Result<WallTime> parse_moment(std::string_view text, WallTime now) {
  if (const auto length = parse_length(text)) return now - *length;
  if (const auto time = parse_time(text)) return *time;
  if (const auto time = parse_epoch(text)) return *time;
  return fail(ErrorCode::invalid,
              "\"{}\" is no time: write how long ago it is (90s, 15m, 1h30m, 2d), or when it was, "
              "in UTC where it names no zone (2026-01-31, 2026-01-31T09:30:00Z)",
              text);
}

Result<WallTime> parse_until(std::string_view text, WallTime now) {
  constexpr std::size_t kDate = std::string_view("2026-01-31").size();
  if (const auto length = parse_length(text)) return now + *length;
  if (const auto time = parse_time(text))
    return text.size() == kDate ? *time + std::chrono::days(1) - milliseconds(1) : *time;
  if (const auto time = parse_epoch(text)) return *time;
  return fail(ErrorCode::invalid,
              "\"{}\" is no time: write how long it is from now (45s, 12h, 90d, 2w), or when it "
              "is, in UTC where it names no zone (2026-01-31, 2026-01-31T09:30:00Z)",
              text);
}

}  // namespace lambda
