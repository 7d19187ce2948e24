#include "events/queue/destination.h"

#include "base/time_text.h"

#include <boost/json.hpp>

namespace lambda::events {
namespace {

namespace json = boost::json;

constexpr std::size_t kLargestRecord = 6'291'456;
constexpr std::size_t kLongestMessage = 1'024;

// "NAME" or "NAME:QUALIFIER" after the part of an ARN that is this server's own.
Result<Destination> function_destination(std::string_view rest, const function::Catalog& catalog) {
  Destination destination;
  const auto colon = rest.find(':');
  destination.function = std::string(rest.substr(0, colon));
  if (colon != std::string_view::npos) destination.qualifier = std::string(rest.substr(colon + 1));
  auto found = destination.qualifier.empty()
                   ? catalog.resolve_live(destination.function)
                   : catalog.resolve(destination.function, destination.qualifier);
  if (!found) {
    return fail(ErrorCode::invalid, "The destination ARN {} is invalid: there is no such function",
                catalog.function_arn(destination.function, destination.qualifier));
  }
  return destination;
}

// The payload as JSON where it is some, else as text.
json::value payload_json(const std::string& payload) {
  boost::system::error_code error;
  auto value = json::parse(payload, error);
  if (error) return json::value(json::string(payload));
  return value;
}

// As much as AWS keeps of an error, and no half character at its end.
std::string first_bytes(const std::string& text) {
  if (text.size() <= kLongestMessage) return text;
  auto end = kLongestMessage;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace

Result<Destination> parse_destination(std::string_view text, const function::Catalog& catalog) {
  if (text.starts_with("http://") || text.starts_with("https://")) {
    Destination destination;
    destination.url = std::string(text);
    return destination;
  }
  // "arn:aws:lambda:REGION:ACCOUNT:function:" with nothing behind it.
  const auto own = catalog.function_arn("");
  if (text.starts_with(own)) return function_destination(text.substr(own.size()), catalog);
  return fail(ErrorCode::invalid,
              "The destination {} is invalid: it can be a function of this server ({}NAME), or an "
              "address that begins with http:// or https://",
              text, own);
}

std::string dead_letter_attributes(const ClaimedEvent& event, const Verdict& verdict) {
  const auto& failure = verdict.failure;
  json::object attributes;
  attributes["RequestID"] = event.event.id;
  attributes["ErrorCode"] = "200";
  attributes["ErrorMessage"] =
      failure.error_message.empty() ? failure.error_type : first_bytes(failure.error_message);
  return json::serialize(json::object{{"custom", std::move(attributes)}});
}

std::string destination_record(const ClaimedEvent& event, const Verdict& verdict,
                               std::string_view function_arn, WallTime now) {
  const bool good = verdict.state == EventState::succeeded;
  const int attempts = good ? event.attempts + 1 : verdict.failure.attempts;
  json::object request;
  request["requestId"] = event.event.id;
  request["functionArn"] = function_arn;
  request["condition"] = to_string(verdict.condition);
  request["approximateInvokeCount"] = attempts;
  json::object record;
  record["version"] = "1.0";
  record["timestamp"] = format_iso(now) + "Z";
  record["requestContext"] = std::move(request);
  record["requestPayload"] = payload_json(event.event.payload);
  const auto& version = good ? verdict.success.executed_version : verdict.failure.executed_version;
  if (!version.empty()) {
    json::object response;
    response["statusCode"] = 200;
    response["executedVersion"] = version;
    if (!good) response["functionError"] = "Unhandled";
    record["responseContext"] = std::move(response);
    record["responsePayload"] =
        payload_json(good ? verdict.success.payload : verdict.failure.payload);
  }
  auto text = json::serialize(record);
  if (text.size() <= kLargestRecord) return text;
  record.erase("responsePayload");
  record["requestPayload"] = nullptr;
  return json::serialize(record);
}

}  // namespace lambda::events
