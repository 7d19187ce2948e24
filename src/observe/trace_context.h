// TraceContext: where a call stands in a trace, as W3C Trace Context and X-Amzn-Trace-Id have it.
// A plain value without allocation. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lambda::observe {

struct TraceContext {
  using TraceId = std::array<std::uint8_t, 16>;
  using SpanId = std::array<std::uint8_t, 8>;

  TraceId trace{};  // all zeros: there is none
  SpanId span{};    // the call's own
  SpanId parent{};  // whoever called; all zeros: it began here
  bool sampled = false;

  [[nodiscard]] bool known() const { return trace != TraceId{}; }
  [[nodiscard]] bool has_parent() const { return parent != SpanId{}; }
};

// A traceparent header: the trace and its parent, without a span of one's own. Nothing where it is
// malformed by https://www.w3.org/TR/trace-context/ (a later version's known part is read).
[[nodiscard]] std::optional<TraceContext> parse_traceparent(std::string_view text);
// For those that the call calls: its span is their parent.
[[nodiscard]] std::string traceparent_of(const TraceContext& context);
// The members of a tracestate header as they are passed on; "" where it is longer than the 512
// bytes that everybody must take, or no header's text.
[[nodiscard]] std::string usable_tracestate(std::string_view text);

// What X-Amzn-Trace-Id says, "Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=1": its root is the
// trace. Nothing without such a root. `sampled` is nothing where the header leaves that open.
struct AmznTrace {
  TraceContext context;
  std::optional<bool> sampled;
};
[[nodiscard]] std::optional<AmznTrace> parse_amzn_trace(std::string_view text);
[[nodiscard]] std::string amzn_trace_of(const TraceContext& context);

// What is kept of a context while an event waits: a traceparent whose parent may be none.
[[nodiscard]] std::string kept_text(const TraceContext& context);
[[nodiscard]] std::optional<TraceContext> parse_kept(std::string_view text);

[[nodiscard]] std::string hex_of(const TraceContext::TraceId& id);
[[nodiscard]] std::string hex_of(const TraceContext::SpanId& id);

}  // namespace lambda::observe
