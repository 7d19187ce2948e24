#include "observe/trace/otlp_json.h"

#include "base/encoding.h"

#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

namespace lambda::observe {
namespace {

namespace json = boost::json;
using std::chrono::microseconds;

// Of the protocol's enumerations.
constexpr int kInternal = 1;
constexpr int kServer = 2;
constexpr int kClient = 3;
constexpr int kError = 2;

void add_text(json::array& attributes, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  attributes.push_back({{"key", key}, {"value", {{"stringValue", value}}}});
}

// Somebody else's text may be any bytes, and what is no UTF-8 spoils the whole batch.
void add_foreign_text(json::array& attributes, std::string_view key, std::string_view value) {
  add_text(attributes, key, repair_utf8(value));
}

// 64-bit numbers are texts in JSON of protobuf.
void add_number(json::array& attributes, std::string_view key, std::uint64_t value) {
  attributes.push_back({{"key", key}, {"value", {{"intValue", std::to_string(value)}}}});
}

void add_flag(json::array& attributes, std::string_view key, bool value) {
  attributes.push_back({{"key", key}, {"value", {{"boolValue", value}}}});
}

std::string nanoseconds(WallTime begin, microseconds offset) {
  const std::chrono::nanoseconds at = begin.time_since_epoch() + offset;
  return std::to_string(at.count());
}

std::string_view trigger_of(CallSource source) {
  switch (source) {
    case CallSource::url:
      return "http";
    case CallSource::queue:
      return "pubsub";
    case CallSource::schedule:
      return "timer";
    case CallSource::api:
    case CallSource::webhook:
      return "other";
  }
  return "other";
}

json::array attributes_of_webhook(const CallRecord& webhook) {
  json::array all;
  add_text(all, "http.request.method", "POST");
  add_number(all, "http.request.body.size", webhook.payload_bytes);
  if (webhook.status != 0) add_number(all, "http.response.status_code", webhook.status);
  add_text(all, "lambda.webhook_id", webhook.request_id);
  add_number(all, "lambda.attempt", static_cast<std::uint64_t>(webhook.attempt));
  add_foreign_text(all, "error.type", webhook.error_type);
  return all;
}

json::array attributes_of(const CallRecord& call) {
  if (call.source == CallSource::webhook) return attributes_of_webhook(call);
  json::array all;
  add_text(all, "faas.trigger", trigger_of(call.source));
  add_text(all, "faas.invocation_id", call.request_id);
  add_flag(all, "faas.coldstart", call.cold);
  add_text(all, "faas.instance", call.instance);
  add_foreign_text(all, "lambda.qualifier", call.qualifier);
  add_text(all, "lambda.source", to_string(call.source));
  add_text(all, "lambda.outcome", to_string(call.end));
  add_number(all, "lambda.attempt", static_cast<std::uint64_t>(call.attempt));
  if (call.memory_peak_bytes > 0) add_number(all, "lambda.memory_peak", call.memory_peak_bytes);
  if (call.status != 0) add_number(all, "http.response.status_code", call.status);
  if (call.http || call.source == CallSource::url) {
    add_number(all, "http.request.body.size", call.payload_bytes);
    add_number(all, "http.response.body.size", call.response_bytes);
  }
  if (call.end != CallEnd::success)
    add_foreign_text(all, "error.type",
                     call.error_type.empty() ? to_string(call.end) : call.error_type);
  return all;
}

bool is_error(const CallRecord& call) {
  return (call.end != CallEnd::success && call.end != CallEnd::client_gone) || call.status >= 500;
}

json::object span_of_call(const CallRecord& call) {
  json::object span;
  span["traceId"] = hex_of(call.trace.trace);
  span["spanId"] = hex_of(call.trace.span);
  if (call.trace.has_parent()) span["parentSpanId"] = hex_of(call.trace.parent);
  if (!call.trace_state.empty()) span["traceState"] = call.trace_state;
  const bool webhook = call.source == CallSource::webhook;
  span["name"] = webhook ? "webhook " + std::string(call.function) : std::string(call.function);
  span["kind"] = webhook ? kClient : kServer;
  span["startTimeUnixNano"] = nanoseconds(call.begin, microseconds(0));
  span["endTimeUnixNano"] = nanoseconds(call.begin, call.total);
  span["attributes"] = attributes_of(call);
  if (is_error(call)) {
    json::object status = {{"code", kError}};
    const auto message = call.reason.empty() ? call.error_type : call.reason;
    if (!message.empty()) status["message"] = repair_utf8(message);
    span["status"] = std::move(status);
  }
  return span;
}

// What goes on while the sandbox is made is below it.
bool is_part_of_sandbox(CallStep step) {
  return step > CallStep::sandbox && step < CallStep::init;
}

void add_spans(json::array& spans, const CallRecord& call,
               const std::function<TraceContext::SpanId()>& new_span) {
  spans.push_back(span_of_call(call));
  auto sandbox = call.trace.span;
  for (const auto& step : call.steps()) {
    const auto id = new_span();
    if (step.step == CallStep::sandbox) sandbox = id;
    json::object span;
    span["traceId"] = hex_of(call.trace.trace);
    span["spanId"] = hex_of(id);
    if (!call.trace_state.empty()) span["traceState"] = call.trace_state;
    span["parentSpanId"] = hex_of(is_part_of_sandbox(step.step) ? sandbox : call.trace.span);
    span["name"] = to_string(step.step);
    span["kind"] = kInternal;
    span["startTimeUnixNano"] = nanoseconds(call.begin, step.begin);
    span["endTimeUnixNano"] = nanoseconds(call.begin, step.begin + step.duration);
    spans.push_back(std::move(span));
  }
}

json::object resource_of(const std::string& function, const std::string& function_version) {
  json::array attributes;
  add_text(attributes, "service.name", function);
  add_text(attributes, "service.version", function_version);
  add_text(attributes, "faas.name", function);
  add_text(attributes, "faas.version", function_version);
  return {{"attributes", std::move(attributes)}};
}

}  // namespace

json::object otlp_request(std::span<const KeptCall> calls, const std::string& version,
                          const std::function<TraceContext::SpanId()>& new_span) {
  std::map<std::pair<std::string, std::string>, json::array> spans;
  for (const auto& kept : calls) {
    const auto call = kept.record();
    add_spans(spans[{std::string(call.function), std::string(call.version)}], call, new_span);
  }
  json::array resources;
  for (auto& [who, its_spans] : spans) {
    json::object scope;
    scope["scope"] = {{"name", "lambdad"}, {"version", version}};
    scope["spans"] = std::move(its_spans);
    json::object resource;
    resource["resource"] = resource_of(who.first, who.second);
    resource["scopeSpans"].emplace_array().push_back(std::move(scope));
    resources.push_back(std::move(resource));
  }
  json::object request;
  request["resourceSpans"] = std::move(resources);
  return request;
}

}  // namespace lambda::observe
