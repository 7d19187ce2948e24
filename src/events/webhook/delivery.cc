#include "events/webhook/delivery.h"

#include "http/message.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <utility>

namespace lambda::events {
namespace {

using std::chrono::seconds;

// In first delays: 10 s, 30 s, 1, 2, 5, 10, 20, 30 min, 1 h.
constexpr std::array<int, 9> kWaits = {1, 3, 6, 12, 30, 60, 120, 180, 360};
constexpr seconds kLongestRetryAfter{3'600};
constexpr std::size_t kLongestLocation = 300;

// For messages: what a stranger sent, in one line.
std::string in_one_line(std::string_view text) {
  std::string line(text.substr(0, kLongestLocation));
  std::ranges::replace_if(
      line, [](char c) { return c < ' ' || c >= 0x7F; }, '?');
  return line;
}

std::string told(unsigned status) {
  const auto reason = http::reason_phrase(status);
  return reason.empty() ? std::to_string(status) : fmt::format("{} {}", status, reason);
}

struct Problem {
  std::string type;
  std::string message;
  bool final = false;
};

Problem problem_of(const Error& error) {
  switch (error.code()) {
    case ErrorCode::denied:
      return {"Webhook.Refused", error.message(), true};
    case ErrorCode::timeout:
      return {"Webhook.Timeout", error.message(), false};
    default:
      return {"Webhook.Unreachable", error.message(), false};
  }
}

Problem problem_of(const WebhookAnswer& answer) {
  if (answer.status == 410) {
    return {"Webhook.Gone", "the receiver answered 410 Gone: it wants no more of these", true};
  }
  if (answer.status >= 300 && answer.status < 400 && !answer.location.empty()) {
    return {"Webhook.Redirect",
            fmt::format("the receiver answered {} and points to {}: redirects are not followed; "
                        "configure the final address",
                        told(answer.status), in_one_line(answer.location)),
            false};
  }
  return {"Webhook.Status", fmt::format("the receiver answered {}", told(answer.status)), false};
}

std::optional<std::time_t> parse_date(std::string_view text) {
  std::tm fields{};
  const std::string date(text);
  const char* end = ::strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &fields);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return ::timegm(&fields);
}

}  // namespace

seconds wait_after(int failures, const DeliveryRules& rules) {
  const auto index = static_cast<std::size_t>(std::max(1, failures)) - 1;
  return rules.retry_delay * kWaits.at(std::min(index, kWaits.size() - 1));
}

std::optional<seconds> parse_retry_after(std::string_view text, WallTime now) {
  if (text.empty()) return std::nullopt;
  if (text.find_first_not_of("0123456789") == std::string_view::npos) {
    long long number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    // What is no number any more is too large for one.
    if (error != std::errc() || number > kLongestRetryAfter.count()) return kLongestRetryAfter;
    return seconds(number);
  }
  const auto date = parse_date(text);
  if (!date) return std::nullopt;
  const auto left = std::chrono::ceil<seconds>(
      std::chrono::system_clock::from_time_t(*date) -
      std::chrono::time_point_cast<std::chrono::system_clock::duration>(now));
  return std::clamp(left, seconds(0), kLongestRetryAfter);
}

bool too_old(const ClaimedEvent& delivery, const DeliveryRules& rules, WallTime now) {
  return now - delivery.accepted > rules.max_age;
}

Verdict verdict_too_old(const ClaimedEvent& delivery, const DeliveryRules& rules) {
  Verdict verdict;
  verdict.state = EventState::dead;
  verdict.condition = Condition::event_age_exceeded;
  verdict.failure.attempts = delivery.attempts;
  verdict.failure.throttles = delivery.throttles;
  verdict.failure.error_type = "Webhook.Expired";
  verdict.failure.error_message = fmt::format(
      "given up after {} attempts: it waited longer than {} s behind other deliveries to the same "
      "address{}",
      delivery.attempts, rules.max_age.count(), last_error_of(delivery));
  return verdict;
}

Verdict verdict_of(const ClaimedEvent& delivery, const DeliveryRules& rules,
                   Result<WebhookAnswer> answer, WallTime now) {
  Verdict verdict;
  if (answer && answer->status >= 200 && answer->status < 300) {
    verdict.success.payload = fmt::format(R"({{"statusCode":{}}})", answer->status);
    return verdict;
  }
  auto problem = answer ? problem_of(*answer) : problem_of(answer.error());
  verdict.failure.attempts = delivery.attempts + 1;
  verdict.failure.throttles = delivery.throttles;
  verdict.failure.error_type = std::move(problem.type);
  verdict.failure.error_message = std::move(problem.message);
  auto wait = wait_after(verdict.failure.attempts, rules);
  if (answer) {
    const auto asked = parse_retry_after(answer->retry_after, now);
    wait = std::max(wait, asked.value_or(seconds(0)));
  }
  verdict.state = EventState::waiting;
  verdict.condition = Condition::retries_exhausted;
  verdict.due = now + wait;
  if (!problem.final && verdict.due - delivery.accepted <= rules.max_age) return verdict;
  verdict.state = EventState::dead;
  if (!problem.final) {
    verdict.failure.error_message +=
        fmt::format(" (given up after {} attempts)", verdict.failure.attempts);
  }
  return verdict;
}

}  // namespace lambda::events
