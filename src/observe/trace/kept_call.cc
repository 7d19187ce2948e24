#include "observe/trace/kept_call.h"

#include "base/encoding.h"
#include "base/time_text.h"

namespace lambda::observe {
namespace {

constexpr std::size_t kLongestError = 128;
constexpr std::size_t kLongestReason = 400;

}  // namespace

void KeptCall::assign(const CallRecord& call, bool slow) {
  call_ = call;
  slow_ = slow;
  request_id_ = call.request_id;
  function_ = call.function;
  version_ = call.version;
  qualifier_ = call.qualifier;
  amzn_trace_id_ = call.amzn_trace_id;
  trace_state_ = call.trace_state;
  instance_ = call.instance;
  error_type_ = first_of_utf8(call.error_type, kLongestError);
  reason_ = first_of_utf8(call.reason, kLongestReason);
}

CallRecord KeptCall::record() const {
  auto call = call_;
  call.request_id = request_id_;
  call.function = function_;
  call.version = version_;
  call.qualifier = qualifier_;
  call.amzn_trace_id = amzn_trace_id_;
  call.trace_state = trace_state_;
  call.instance = instance_;
  call.error_type = error_type_;
  call.reason = reason_;
  return call;
}

boost::json::object to_json(const KeptCall& kept) {
  const auto call = kept.record();
  boost::json::object object;
  object["requestId"] = call.request_id;
  object["function"] = call.function;
  object["version"] = call.version;
  object["qualifier"] = call.qualifier;
  object["source"] = to_string(call.source);
  object["attempt"] = call.attempt;
  object["time"] = format_iso(call.begin) + "Z";
  object["accepted"] = nullptr;
  if (call.accepted) object["accepted"] = format_iso(*call.accepted) + "Z";
  object["duration"] = call.total.count();
  object["end"] = to_string(call.end);
  object["errorType"] = repair_utf8(call.error_type);
  object["reason"] = repair_utf8(call.reason);
  object["http"] = call.http;
  object["status"] = call.status;
  object["cold"] = call.cold;
  object["slow"] = kept.slow();
  object["instance"] = call.instance;
  object["memoryPeak"] = call.memory_peak_bytes;
  object["payloadBytes"] = call.payload_bytes;
  object["responseBytes"] = call.response_bytes;
  object["traceId"] = call.trace.known() ? hex_of(call.trace.trace) : "";
  object["spanId"] = call.trace.known() ? hex_of(call.trace.span) : "";
  object["parentSpanId"] = call.trace.has_parent() ? hex_of(call.trace.parent) : "";
  object["amznTraceId"] = call.amzn_trace_id;
  auto& steps = object["steps"].emplace_array();
  for (const auto& step : call.steps()) {
    steps.push_back({{"step", to_string(step.step)},
                     {"begin", step.begin.count()},
                     {"duration", step.duration.count()}});
  }
  return object;
}

}  // namespace lambda::observe
