#include "gateway/failure_log.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace lambda::gateway {
namespace {

constexpr auto kInterval = std::chrono::minutes(1);
// A function may call the kind of its error whatever it likes.
constexpr std::size_t kLongestMessage = 1000;
// Functions that failed once and were deleted are forgotten when there are so many.
constexpr std::size_t kMany = 10'000;

}  // namespace

std::optional<std::string> FailureLog::line_for(const std::string& function,
                                                std::string_view request_id,
                                                std::string_view message) {
  const auto now = clock_.steady_now();
  std::size_t untold = 0;
  {
    const std::lock_guard lock(mutex_);
    if (told_.size() >= kMany)
      std::erase_if(told_, [now](const auto& entry) { return now - entry.second.at >= kInterval; });
    const auto [entry, first] = told_.try_emplace(function, Told{now, 0});
    if (!first) {
      auto& told = entry->second;
      if (now - told.at < kInterval) {
        ++told.untold;
        return std::nullopt;
      }
      told.at = now;
      untold = std::exchange(told.untold, 0);
    }
  }
  auto line = fmt::format("request {} of function {}: {}", request_id, function,
                          message.substr(0, kLongestMessage));
  if (untold > 0) line += fmt::format(" (and {} more failed since the last one told here)", untold);
  return line;
}

void FailureLog::tell(const std::string& function, std::string_view request_id,
                      std::string_view message) {
  if (const auto line = line_for(function, request_id, message)) spdlog::warn("{}", *line);
}

}  // namespace lambda::gateway
