// What goes to a collector, and what its answers mean.
#include "observe/trace/otlp_json.h"

#include "base/encoding.h"
#include "observe/trace/otlp_exporter.h"

#include <gtest/gtest.h>

namespace lambda::observe {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

CallRecord call() {
  CallRecord made;
  made.request_id = "8f";
  made.function = "greet";
  made.version = "7";
  made.source = CallSource::url;
  made.trace = *parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  made.trace.span = {0, 1, 2, 3, 4, 5, 6, 7};
  made.begin = WallTime(1767323045000ms);
  made.total = 90ms;
  made.cold = true;
  made.add(CallStep::sandbox, 1ms, 20ms);
  made.add(CallStep::clone, 1ms, 5ms);
  made.add(CallStep::init, 21ms, 30ms);
  made.add(CallStep::handler, 51ms, 38ms);
  return made;
}

json::object request_of(const CallRecord& record) {
  const std::vector<KeptCall> calls = {KeptCall(record)};
  std::uint8_t next = 0x10;
  return otlp_request(calls, "1.0", [&next] {
    TraceContext::SpanId id{};
    id[0] = next++;
    return id;
  });
}

json::array spans_of(const json::object& request) {
  return request.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans").as_array();
}

json::value attribute(const json::value& of, std::string_view key) {
  for (const auto& one : of.at("attributes").as_array()) {
    if (one.at("key").as_string() == key) return one.at("value");
  }
  return nullptr;
}

TEST(OtlpJson, ACallIsAServerSpanWithASpanForEachStep) {
  const auto request = request_of(call());
  const auto& resource = request.at("resourceSpans").at(0).at("resource");
  EXPECT_EQ(attribute(resource, "service.name"), json::parse(R"({"stringValue":"greet"})"));
  EXPECT_EQ(attribute(resource, "faas.version"), json::parse(R"({"stringValue":"7"})"));
  const auto spans = spans_of(request);
  ASSERT_EQ(spans.size(), 5u);
  const auto& server = spans[0];
  EXPECT_EQ(server.at("traceId"), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(server.at("spanId"), "0001020304050607");
  EXPECT_EQ(server.at("parentSpanId"), "b7ad6b7169203331");
  EXPECT_EQ(server.at("name"), "greet");
  EXPECT_EQ(server.at("kind"), 2);
  EXPECT_EQ(server.at("startTimeUnixNano"), "1767323045000000000");
  EXPECT_EQ(server.at("endTimeUnixNano"), "1767323045090000000");
  EXPECT_EQ(attribute(server, "faas.trigger"), json::parse(R"({"stringValue":"http"})"));
  EXPECT_EQ(attribute(server, "faas.invocation_id"), json::parse(R"({"stringValue":"8f"})"));
  EXPECT_EQ(attribute(server, "faas.coldstart"), json::parse(R"({"boolValue":true})"));
  EXPECT_EQ(attribute(server, "lambda.attempt"), json::parse(R"({"intValue":"1"})"));
  EXPECT_FALSE(server.as_object().contains("status"));
  EXPECT_EQ(spans[1].at("name"), "sandbox");
  EXPECT_EQ(spans[1].at("kind"), 1);
  EXPECT_EQ(spans[1].at("parentSpanId"), "0001020304050607");
  EXPECT_EQ(spans[2].at("name"), "clone");
  EXPECT_EQ(spans[2].at("parentSpanId"), spans[1].at("spanId"));
  EXPECT_EQ(spans[4].at("name"), "handler");
  EXPECT_EQ(spans[4].at("startTimeUnixNano"), "1767323045051000000");
  EXPECT_EQ(spans[4].at("parentSpanId"), "0001020304050607");
}

TEST(OtlpJson, AFailureIsAnErrorWithItsType) {
  auto failed = call();
  failed.end = CallEnd::timeout;
  failed.error_type = "Sandbox.Timedout";
  auto server = spans_of(request_of(failed))[0];
  EXPECT_EQ(server.at("status").at("code"), 2);
  EXPECT_EQ(server.at("status").at("message"), "Sandbox.Timedout");
  EXPECT_EQ(attribute(server, "error.type"), json::parse(R"({"stringValue":"Sandbox.Timedout"})"));
  auto broken = call();
  broken.http = true;
  broken.status = 503;
  server = spans_of(request_of(broken))[0];
  EXPECT_EQ(server.at("status").at("code"), 2);
  EXPECT_EQ(attribute(server, "http.response.status_code"), json::parse(R"({"intValue":"503"})"));
  broken.status = 404;
  EXPECT_FALSE(spans_of(request_of(broken))[0].as_object().contains("status"));
}

TEST(OtlpJson, IsUtf8WhateverAFunctionCallsItsError) {
  auto failed = call();
  failed.end = CallEnd::handler_error;
  failed.error_type = "No\xFFSuch";
  EXPECT_TRUE(is_valid_utf8(json::serialize(request_of(failed))));
  failed.error_type = "";
  failed.reason = "\xC3";
  EXPECT_TRUE(is_valid_utf8(json::serialize(request_of(failed))));
}

TEST(OtlpJson, OfATraceThatBeganHereTheSpanHasNoParentAndFunctionsAreApart) {
  auto first = call();
  first.trace.parent = {};
  EXPECT_FALSE(spans_of(request_of(first))[0].as_object().contains("parentSpanId"));
  auto second = call();
  second.function = "other";
  const std::vector<KeptCall> calls = {KeptCall(first), KeptCall(second), KeptCall(first)};
  const auto request = otlp_request(calls, "1.0", [] { return TraceContext::SpanId{1}; });
  EXPECT_EQ(request.at("resourceSpans").as_array().size(), 2u);
  EXPECT_EQ(spans_of(request).size(), 10u);
}

TEST(OtlpJson, EverySpanHasTheStateThatCame) {
  auto stateful = call();
  stateful.trace_state = "a=1,b=2";
  for (const auto& span : spans_of(request_of(stateful)))
    EXPECT_EQ(span.at("traceState"), "a=1,b=2");
  for (const auto& span : spans_of(request_of(call())))
    EXPECT_FALSE(span.as_object().contains("traceState"));
}

TEST(OtlpJson, AWebhookIsAClientsSpan) {
  CallRecord webhook;
  webhook.request_id = "8f";
  webhook.function = "greet";
  webhook.source = CallSource::webhook;
  webhook.trace = call().trace;
  webhook.total = 5ms;
  webhook.status = 204;
  webhook.payload_bytes = 17;
  auto span = spans_of(request_of(webhook)).at(0);
  EXPECT_EQ(span.at("name"), "webhook greet");
  EXPECT_EQ(span.at("kind"), 3);
  EXPECT_EQ(span.at("parentSpanId"), "b7ad6b7169203331");
  EXPECT_EQ(attribute(span, "http.request.method"), json::parse(R"({"stringValue":"POST"})"));
  EXPECT_EQ(attribute(span, "http.response.status_code"), json::parse(R"({"intValue":"204"})"));
  EXPECT_EQ(attribute(span, "lambda.webhook_id"), json::parse(R"({"stringValue":"8f"})"));
  EXPECT_TRUE(attribute(span, "faas.trigger").is_null());
  EXPECT_FALSE(span.as_object().contains("status"));
  webhook.end = CallEnd::unavailable;
  webhook.status = 0;
  webhook.error_type = "Webhook.Timeout";
  webhook.reason = "no answer";
  span = spans_of(request_of(webhook)).at(0);
  EXPECT_EQ(span.at("status"), json::parse(R"({"code":2,"message":"no answer"})"));
  EXPECT_EQ(attribute(span, "error.type"), json::parse(R"({"stringValue":"Webhook.Timeout"})"));
  EXPECT_TRUE(attribute(span, "http.response.status_code").is_null());
}

TEST(OtlpUrl, HasThePathOfTracesBehindWhateverIsNoSuchPath) {
  EXPECT_EQ(otlp_url("http://localhost:4318")->path, "/v1/traces");
  EXPECT_EQ(otlp_url("http://localhost:4318/")->path, "/v1/traces");
  EXPECT_EQ(otlp_url("https://example.org/otlp")->path, "/otlp/v1/traces");
  EXPECT_EQ(otlp_url("http://localhost:4318/v1/traces")->path, "/v1/traces");
  EXPECT_TRUE(otlp_url("https://example.org")->endpoint.tls);
  for (const char* wrong : {"", "localhost:4318", "grpc://localhost:4317", "unix:/run/x"})
    EXPECT_FALSE(otlp_url(wrong)) << wrong;
}

TEST(OtlpRefusal, IsWhatTheAnswerSays) {
  EXPECT_EQ(
      otlp_refusal(R"({"partialSuccess":{"rejectedSpans":"5","errorMessage":"too\nold"}})").spans,
      5u);
  EXPECT_EQ(
      otlp_refusal(R"({"partialSuccess":{"rejectedSpans":"5","errorMessage":"too\nold"}})").why,
      "too\\nold");
  EXPECT_EQ(otlp_refusal(R"({"partialSuccess":{"rejectedSpans":7}})").spans, 7u);
  for (const char* none : {"", "{}", "[]", "ok", R"({"partialSuccess":{}})",
                           R"({"partialSuccess":{"rejectedSpans":-1}})",
                           R"({"partialSuccess":{"rejectedSpans":"x"}})"})
    EXPECT_EQ(otlp_refusal(none).spans, 0u) << none;
}

TEST(OtlpVerdict, OnlyWhatMayPassIsTriedAgain) {
  EXPECT_EQ(otlp_verdict(200), OtlpVerdict::taken);
  for (const unsigned status : {429u, 502u, 503u, 504u})
    EXPECT_EQ(otlp_verdict(status), OtlpVerdict::again);
  for (const unsigned status : {301u, 400u, 401u, 404u, 500u})
    EXPECT_EQ(otlp_verdict(status), OtlpVerdict::refused);
}

}  // namespace
}  // namespace lambda::observe
