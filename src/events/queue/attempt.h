// What one attempt at an event comes to: the rules of section 5.1 of AWS's contract, without I/O.
//
//   the function answered                  -> succeeded
//   the function failed                    -> again after retry_delay, then twice that ...; dead
//                                             once its retries are over
//   it could not be called (throttled, no
//   sandbox, a part that is missing)       -> again after 1 s, 2 s, 4 s ... 5 min
//   it is too old, or its function is gone -> dead
//   it went in circles                     -> dead
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "events/queue/event.h"
#include "events/queue/event_table.h"
#include "events/queue/invoke_config.h"
#include "invoke/invoker.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace lambda::events {

struct RetryRules {
  std::chrono::seconds retry_delay{60};  // the first; each later one is twice the one before
  int max_retries = 2;
  std::chrono::seconds max_age{21'600};
};

// The server's rules with what the function's own configuration says.
[[nodiscard]] RetryRules rules_for(const RetryRules& standard,
                                   const std::optional<InvokeConfig>& config);

// AWS's requestContext.condition.
enum class Condition { success, retries_exhausted, event_age_exceeded, function_missing, circle };
[[nodiscard]] std::string_view to_string(
    Condition condition);  // "Success", "RetriesExhausted", ...

struct Verdict {
  EventState state = EventState::succeeded;  // waiting: again at `due`
  Condition condition = Condition::success;
  WallTime due{};
  EventTable::Success success;  // succeeded
  EventTable::Failure failure;  // waiting, dead
};

[[nodiscard]] bool too_old(const ClaimedEvent& event, const RetryRules& rules, WallTime now);
// "; what failed last: ValueError: no", or "".
[[nodiscard]] std::string last_error_of(const ClaimedEvent& event);
[[nodiscard]] Verdict verdict_too_old(const ClaimedEvent& event);
[[nodiscard]] Verdict verdict_missing(const ClaimedEvent& event, const Error& error);
// Its destinations lead back to where it came from.
[[nodiscard]] Verdict verdict_in_circles(const ClaimedEvent& event);
[[nodiscard]] Verdict verdict_of(const ClaimedEvent& event, const RetryRules& rules,
                                 Result<invoke::Outcome> outcome, WallTime now);

}  // namespace lambda::events
