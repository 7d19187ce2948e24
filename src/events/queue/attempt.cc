#include "events/queue/attempt.h"

#include "invoke/failure_payload.h"

#include <algorithm>
#include <utility>

namespace lambda::events {
namespace {

using std::chrono::seconds;

constexpr seconds kLongestBackoff{300};
// 2^9 s is past the longest wait already.
constexpr int kMostDoublings = 9;

EventTable::Failure failure_before(const ClaimedEvent& event) {
  EventTable::Failure failure;
  failure.attempts = event.attempts;
  failure.throttles = event.throttles;
  return failure;
}

// An event that grows too old before its next attempt ends when it does, not later.
WallTime due_after(const ClaimedEvent& event, const RetryRules& rules, WallTime now,
                   seconds delay) {
  const auto too_old_at = event.accepted + rules.max_age + std::chrono::milliseconds(1);
  return std::min(now + delay, std::max(now, too_old_at));
}

Verdict verdict_not_called(const ClaimedEvent& event, const RetryRules& rules, const Error& error,
                           WallTime now) {
  Verdict verdict;
  verdict.state = EventState::waiting;
  verdict.due =
      due_after(event, rules, now,
                std::min(kLongestBackoff, seconds(1 << std::min(event.throttles, kMostDoublings))));
  verdict.failure = failure_before(event);
  ++verdict.failure.throttles;
  verdict.failure.error_type = error.code() == ErrorCode::overloaded
                                   ? "TooManyRequestsException"
                                   : std::string("Lambda.") + std::string(to_string(error.code()));
  verdict.failure.error_message = error.message();
  return verdict;
}

}  // namespace

RetryRules rules_for(const RetryRules& standard, const std::optional<InvokeConfig>& config) {
  RetryRules rules = standard;
  if (!config) return rules;
  rules.max_retries = config->max_retries.value_or(rules.max_retries);
  if (config->max_age_seconds) rules.max_age = seconds(*config->max_age_seconds);
  return rules;
}

std::string_view to_string(Condition condition) {
  switch (condition) {
    case Condition::success:
      return "Success";
    case Condition::retries_exhausted:
      return "RetriesExhausted";
    case Condition::event_age_exceeded:
      return "EventAgeExceeded";
    case Condition::function_missing:
      return "FunctionNotFound";
    case Condition::circle:
      break;
  }
  return "DestinationLoop";
}

bool too_old(const ClaimedEvent& event, const RetryRules& rules, WallTime now) {
  return now - event.accepted > rules.max_age;
}

std::string last_error_of(const ClaimedEvent& event) {
  if (event.attempts + event.throttles == 0) return {};
  const auto* between = event.error_type.empty() || event.error_message.empty() ? "" : ": ";
  return "; what failed last: " + event.error_type + between + event.error_message;
}

Verdict verdict_too_old(const ClaimedEvent& event) {
  Verdict verdict;
  verdict.state = EventState::dead;
  verdict.condition = Condition::event_age_exceeded;
  verdict.failure = failure_before(event);
  verdict.failure.error_type = "EventAgeExceeded";
  verdict.failure.error_message =
      "the event waited longer than its function allows (MaximumEventAgeInSeconds)" +
      last_error_of(event);
  return verdict;
}

Verdict verdict_missing(const ClaimedEvent& event, const Error& error) {
  Verdict verdict;
  verdict.state = EventState::dead;
  verdict.condition = Condition::function_missing;
  verdict.failure = failure_before(event);
  verdict.failure.error_type = "ResourceNotFoundException";
  verdict.failure.error_message = error.message();
  return verdict;
}

Verdict verdict_in_circles(const ClaimedEvent& event) {
  Verdict verdict;
  verdict.state = EventState::dead;
  verdict.condition = Condition::circle;
  verdict.failure = failure_before(event);
  verdict.failure.error_type = "DestinationLoop";
  verdict.failure.error_message = fmt::format(
      "not carried out: it has come through {} destinations, which seem to lead in a "
      "circle (lambda queue config shows where results go)",
      event.event.hops);
  return verdict;
}

Verdict verdict_of(const ClaimedEvent& event, const RetryRules& rules,
                   Result<invoke::Outcome> outcome, WallTime now) {
  if (!outcome) return verdict_not_called(event, rules, outcome.error(), now);
  Verdict verdict;
  if (outcome->error == invoke::FunctionError::none) {
    verdict.success.payload = std::move(outcome->payload);
    verdict.success.executed_version = std::move(outcome->executed_version);
    return verdict;
  }
  verdict.failure = failure_before(event);
  verdict.failure.error_type = outcome->error_type;
  verdict.failure.error_message = invoke::error_message_in(outcome->payload);
  verdict.failure.executed_version = std::move(outcome->executed_version);
  verdict.failure.payload = std::move(outcome->payload);
  const int failed = ++verdict.failure.attempts;
  if (failed > rules.max_retries) {
    verdict.state = EventState::dead;
    verdict.condition = Condition::retries_exhausted;
  } else {
    verdict.state = EventState::waiting;
    verdict.due = due_after(event, rules, now, rules.retry_delay * (1 << (failed - 1)));
  }
  return verdict;
}

}  // namespace lambda::events
