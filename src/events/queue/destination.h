// Where the result of an event goes: another function, or an http(s) address. Pure.
#pragma once

#include "base/result.h"
#include "events/queue/attempt.h"
#include "events/queue/event.h"
#include "function/catalog.h"

#include <string>
#include <string_view>

namespace lambda::events {

// One of the two is there.
struct Destination {
  std::string function;
  std::string qualifier;  // of the function; "" follows `live`
  std::string url;        // http:// or https://
};

// A function's ARN of this account and region, or an address. Errors: invalid; says what is
// possible, and which function is not there.
Result<Destination> parse_destination(std::string_view text, const function::Catalog& catalog);

// AWS's record of what came of an event: the event that a destination receives. Payloads are in it
// byte for byte. One that would be larger than what a handler takes (6 MiB) leaves them out.
[[nodiscard]] std::string destination_record(const ClaimedEvent& event, const Verdict& verdict,
                                             std::string_view function_arn, WallTime now);

// The attributes of AWS's dead letters (RequestID, ErrorCode, ErrorMessage), as the client context
// of the event that goes on: {"custom":{...}}. To a webhook they are headers.
[[nodiscard]] std::string dead_letter_attributes(const ClaimedEvent& event, const Verdict& verdict);

}  // namespace lambda::events
