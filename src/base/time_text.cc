#include "base/time_text.h"

#include <spdlog/fmt/fmt.h>

namespace lambda {

std::string format_iso(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::string timed_out_text(std::chrono::duration<double> limit) {
  return fmt::format("Task timed out after {:.2f} seconds", limit.count());
}

}  // namespace lambda
