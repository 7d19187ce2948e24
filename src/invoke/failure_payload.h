// The payloads that the platform makes itself when a function could not answer (section 2.4 of the
// contract). Pure.
#pragma once

#include "invoke/invoker.h"
#include "pool/instance.h"

#include <string>
#include <string_view>

namespace lambda::invoke {

struct FailurePayload {
  FunctionError error = FunctionError::none;
  std::string type;
  std::string payload;
};

// {"errorType":..., "errorMessage":"RequestId: <id> Error: <reason>"}, or the runtime's own object
// where it sent one.
[[nodiscard]] FailurePayload payload_of(const pool::Failure& failure, std::string_view request_id);
[[nodiscard]] FailurePayload response_too_large(std::string_view request_id);
[[nodiscard]] FailurePayload invalid_response_mode(std::string_view request_id);
// For who deploys it, in one line: the runtime's own words where it sent some.
[[nodiscard]] std::string summary_of(const pool::Failure& failure);
// Makes it what the call came to.
void describe(Outcome& outcome, FailurePayload failure);
// What an error object says, or "": also of a text that is too large to be one.
[[nodiscard]] std::string error_type_in(std::string_view payload);
[[nodiscard]] std::string error_message_in(std::string_view payload);

}  // namespace lambda::invoke
