#include "invoke/failure_payload.h"

#include "base/encoding.h"
#include "sandbox/runtime_api.h"

#include <boost/json.hpp>

namespace lambda::invoke {
namespace {

std::string error_object(std::string_view type, std::string_view message) {
  boost::json::object object;
  object["errorType"] = type;
  object["errorMessage"] = message;
  return boost::json::serialize(object);
}

std::string text_in(std::string_view payload, std::string_view member) {
  // Error objects carry a stack trace at most; a larger text is not worth parsing for one word.
  if (payload.size() > 256 * 1024) return {};
  boost::system::error_code error;
  const auto value = boost::json::parse(payload, error);
  if (error || !value.is_object()) return {};
  const auto* text = value.as_object().if_contains(member);
  return text != nullptr && text->is_string() ? std::string(text->as_string()) : std::string();
}

}  // namespace

std::string error_type_in(std::string_view payload) {
  return text_in(payload, "errorType");
}

std::string error_message_in(std::string_view payload) {
  return text_in(payload, "errorMessage");
}

std::string summary_of(const pool::Failure& failure) {
  constexpr std::size_t kLongest = 500;
  if (failure.payload.empty()) {
    if (!failure.detail.empty()) return failure.detail;
    return failure.reason.empty() ? failure.type : failure.reason;
  }
  auto summary = error_type_in(failure.payload);
  if (summary.empty()) summary = failure.type;
  const auto message = error_message_in(failure.payload);
  const auto line = std::string_view(message).substr(0, message.find('\n'));
  if (!line.empty()) summary += fmt::format(": {}", first_of_utf8(line, kLongest));
  return summary;
}

FailurePayload payload_of(const pool::Failure& failure, std::string_view request_id) {
  FailurePayload made;
  using Kind = pool::Failure::Kind;
  switch (failure.kind) {
    case Kind::init:
      made.error = FunctionError::init;
      break;
    case Kind::timeout:
      made.error = FunctionError::timeout;
      break;
    case Kind::exit:
      made.error = FunctionError::exit;
      break;
    case Kind::out_of_memory:
      made.error = FunctionError::out_of_memory;
      break;
  }
  made.type = failure.type;
  made.payload = failure.payload;
  if (made.payload.empty()) {
    made.payload = error_object(failure.type.empty() ? "Runtime.Unknown" : failure.type,
                                fmt::format("RequestId: {} Error: {}", request_id, failure.reason));
  } else if (auto own = error_type_in(made.payload); !own.empty()) {
    made.type = std::move(own);
  }
  return made;
}

FailurePayload response_too_large(std::string_view) {
  FailurePayload made;
  made.error = FunctionError::response_too_large;
  made.type = "Function.ResponseSizeTooLarge";
  made.payload = error_object(
      made.type,
      fmt::format("Response payload size exceeded maximum allowed payload size ({} bytes).",
                  sandbox::kMaxResponseBytes));
  return made;
}

FailurePayload invalid_response_mode(std::string_view request_id) {
  FailurePayload made;
  made.error = FunctionError::handled;
  made.type = "Runtime.InvalidResponseModeHeader";
  made.payload = error_object(
      made.type, fmt::format("RequestId: {} Error: Invalid response mode header", request_id));
  return made;
}

void describe(Outcome& outcome, FailurePayload failure) {
  outcome.payload = std::move(failure.payload);
  outcome.error = failure.error;
  outcome.error_type = std::move(failure.type);
}

}  // namespace lambda::invoke
