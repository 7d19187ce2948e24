#include "events/queue/destination.h"

#include "base/encoding.h"
#include "base/time_text.h"
#include "invoke/json_scan.h"

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

// The payload as it is where it is JSON, to the last digit of its numbers; else as text. Nested
// deeper than this it is no JSON that a receiver would read.
std::string payload_json(const std::string& payload) {
  constexpr std::size_t kDeepest = 1'000;
  if (!payload.empty() && !invoke::find_json_fault(payload, kDeepest)) return payload;
  return json::serialize(json::string(repair_utf8(payload)));
}

// {"a":1} and a member more.
void add_member(std::string& object, std::string_view name, std::string_view value) {
  object.pop_back();
  object += fmt::format(",\"{}\":", name);
  object += value;
  object += '}';
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
      failure.error_message.empty()
          ? failure.error_type
          : std::string(first_of_utf8(failure.error_message, kLongestMessage));
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
  const auto& version = good ? verdict.success.executed_version : verdict.failure.executed_version;
  const bool called = !version.empty();
  if (called) {
    json::object response;
    response["statusCode"] = 200;
    response["executedVersion"] = version;
    if (!good) response["functionError"] = "Unhandled";
    record["responseContext"] = std::move(response);
  }
  const auto without = json::serialize(record);
  auto text = without;
  add_member(text, "requestPayload", payload_json(event.event.payload));
  if (called) {
    add_member(text, "responsePayload",
               payload_json(good ? verdict.success.payload : verdict.failure.payload));
  }
  if (text.size() <= kLargestRecord) return text;
  text = without;
  add_member(text, "requestPayload", "null");
  return text;
}

}  // namespace lambda::events
