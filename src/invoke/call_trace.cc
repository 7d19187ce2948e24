#include "invoke/call_trace.h"

#include "base/crypto.h"
#include "base/encoding.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>
#include <utility>

namespace lambda::invoke {
namespace {

using observe::TraceContext;

constexpr std::size_t kLongestAmzn = 256;
// The rightmost seven bytes of a trace id are random, whoever made it.
constexpr int kRandomBits = 56;

bool is_usable(std::string_view amzn) {
  return amzn.find("Root=") != std::string_view::npos && amzn.size() <= kLongestAmzn &&
         is_valid_utf8(amzn);
}

void fill(std::span<std::uint8_t> into, std::string_view bytes) {
  std::ranges::transform(bytes.substr(0, into.size()), into.begin(),
                         [](char c) { return static_cast<std::uint8_t>(c); });
}

// As X-Ray's roots begin.
void set_time(TraceContext::TraceId& trace, WallTime time) {
  const auto seconds = static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
  for (std::size_t i = 0; i < 4; ++i)
    trace.at(i) = static_cast<std::uint8_t>(seconds >> (8 * (3 - i)));
}

}  // namespace

KeptTrace kept(const CallTrace& trace) {
  KeptTrace made;
  if (trace.amzn_sent) made.amzn = trace.amzn;
  made.parent = observe::kept_text(trace.context);
  made.state = trace.state;
  return made;
}

KeptTrace kept_below(const CallTrace& trace) {
  auto made = kept(trace);
  made.parent = observe::traceparent_of(trace.context);
  return made;
}

TraceRules::TraceRules(double sample)
    : sampled_below_(static_cast<std::uint64_t>(std::clamp(sample, 0.0, 1.0) *
                                                static_cast<double>(1ull << kRandomBits))) {}

bool TraceRules::samples(const TraceContext::TraceId& trace) const {
  std::uint64_t number = 0;
  for (std::size_t i = trace.size() - kRandomBits / 8; i < trace.size(); ++i)
    number = number << 8 | trace.at(i);
  return number < sampled_below_;
}

CallTrace TraceRules::finished(CallTrace trace, std::string_view amzn) const {
  trace.amzn_sent = is_usable(amzn);
  trace.amzn = trace.amzn_sent ? std::string(amzn) : observe::amzn_trace_of(trace.context);
  return trace;
}

CallTrace TraceRules::begin(const http::Headers& headers, WallTime now) const {
  CallTrace trace;
  const auto amzn = headers.get("X-Amzn-Trace-Id");
  const auto* sent = headers.find("traceparent");
  auto context =
      sent == nullptr ? std::nullopt : observe::parse_traceparent(headers.joined("traceparent"));
  if (context) {
    trace.context = *context;
    trace.state = observe::usable_tracestate(headers.joined("tracestate", ","));
  } else if (const auto root = observe::parse_amzn_trace(amzn)) {
    trace.context = root->context;
    if (!root->sampled) trace.context.sampled = samples(trace.context.trace);
    context = trace.context;
  }
  const auto bytes = random_bytes(context ? 8 : 20);
  fill(trace.context.span, bytes);
  if (!context) {
    fill(std::span(trace.context.trace).last(12), std::string_view(bytes).substr(8));
    set_time(trace.context.trace, now);
    trace.context.sampled = samples(trace.context.trace);
  }
  return finished(std::move(trace), amzn);
}

CallTrace TraceRules::resume(const KeptTrace& kept, std::string_view event_id,
                             WallTime accepted) const {
  CallTrace trace;
  trace.state = kept.state;
  if (const auto context = observe::parse_kept(kept.parent)) {
    trace.context = *context;
  } else if (const auto root = observe::parse_amzn_trace(kept.amzn)) {
    trace.context = root->context;
  } else {
    // Ids are UUIDs: the trace is the same at every attempt.
    std::string digits(event_id);
    std::erase(digits, '-');
    fill(trace.context.trace, sha256(digits));
    if (const auto bytes = hex_decode(digits); bytes && bytes->size() == 16)
      fill(trace.context.trace, *bytes);
    set_time(trace.context.trace, accepted);
    trace.context.sampled = samples(trace.context.trace);
  }
  fill(trace.context.span, random_bytes(8));
  return finished(std::move(trace), kept.amzn);
}

}  // namespace lambda::invoke
