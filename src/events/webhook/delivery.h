// What one attempt to deliver a webhook comes to, without I/O.
//
//   2xx                            -> succeeded
//   410, an address that is refused -> dead
//   anything else                  -> again after 10 s, 30 s, 1, 2, 5, 10, 20, 30 min, 1 h, 1 h
//   ...,
//                                     or when the receiver says (Retry-After); dead once it is a
//                                     day old
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "events/queue/attempt.h"
#include "events/queue/event.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace lambda::events {

struct DeliveryRules {
  std::chrono::seconds retry_delay{10};  // the first; the later ones grow with it
  std::chrono::seconds max_age{86'400};  // of a delivery, since its event ended
};

// What the receiver answered.
struct WebhookAnswer {
  unsigned status = 0;
  std::string location;     // the header Location
  std::string retry_after;  // the header Retry-After
};

[[nodiscard]] std::chrono::seconds wait_after(int failures, const DeliveryRules& rules);

// Seconds, or a date of HTTP; never more than an hour, nothing where it is neither.
[[nodiscard]] std::optional<std::chrono::seconds> parse_retry_after(std::string_view text,
                                                                    WallTime now);

[[nodiscard]] bool too_old(const ClaimedEvent& delivery, const DeliveryRules& rules, WallTime now);
[[nodiscard]] Verdict verdict_too_old(const ClaimedEvent& delivery, const DeliveryRules& rules);
// An error with the code denied is final.
[[nodiscard]] Verdict verdict_of(const ClaimedEvent& delivery, const DeliveryRules& rules,
                                 Result<WebhookAnswer> answer, WallTime now);

}  // namespace lambda::events
