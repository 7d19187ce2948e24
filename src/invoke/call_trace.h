// The trace of a call: taken over from whoever calls, or begun here. Pure but for random bytes; any
// thread.
#pragma once

#include "base/clock.h"
#include "http/message.h"
#include "observe/trace_context.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace lambda::invoke {

struct CallTrace {
  observe::TraceContext context;  // with a span of the call's own
  std::string amzn;               // X-Amzn-Trace-Id's value for the function
  bool amzn_sent = false;         // it is the caller's, as it was sent
  std::string state;              // tracestate, or ""
};

// What of a trace lasts while an event waits for its attempts.
struct KeptTrace {
  std::string amzn;    // where the caller sent it, or ""
  std::string parent;  // observe::kept_text()
  std::string state;
};
[[nodiscard]] KeptTrace kept(const CallTrace& trace);
// The same for what a call's result goes on as: the call's span is its parent.
[[nodiscard]] KeptTrace kept_below(const CallTrace& trace);

class TraceRules {
 public:
  // `sample`: the share, 0 to 1, of the traces begun here that are exported. Those of others are
  // where they say so.
  explicit TraceRules(double sample = 0);

  // A request: its traceparent and tracestate, else the root of its X-Amzn-Trace-Id, else a new
  // one.
  [[nodiscard]] CallTrace begin(const http::Headers& headers, WallTime now) const;
  // An attempt of an event; one of which nothing is kept has the trace of its id, always the same.
  [[nodiscard]] CallTrace resume(const KeptTrace& kept, std::string_view event_id,
                                 WallTime accepted) const;

 private:
  [[nodiscard]] bool samples(const observe::TraceContext::TraceId& trace) const;
  [[nodiscard]] CallTrace finished(CallTrace trace, std::string_view amzn) const;

  std::uint64_t sampled_below_;
};

}  // namespace lambda::invoke
