// CallRecord: what one call came to and where its time went, told once for every call that ends.
//
// A record is made on the loop that carried the call out, out of what is there anyway: its texts
// are views that are good for the time of CallSink::record() alone, and nothing in it allocates.
// Each loop has a sink of its own, so that a sink needs no lock for what it keeps of that loop.
#pragma once

#include "base/clock.h"
#include "observe/trace_context.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace lambda::observe {

// Where a call came from. `webhook` is no call, but the sending of what one came to: of these the
// exporter of traces alone is told.
enum class CallSource : std::uint8_t { url, api, queue, schedule, webhook };

enum class CallEnd : std::uint8_t {
  success,
  // The function's own:
  handler_error,  // the handler threw; an HTTP function answered an event with 400 or more, or a
                  // request with 500 or more
  init_error,     // the code failed to load
  timeout,
  exit,  // the runtime ended, crashed or was killed; an HTTP function gave no response
  out_of_memory,
  response_too_large,
  // It did not get as far as the function:
  throttled,       // reserved concurrency, a line that is too long, nothing free in time
  refused,         // too large an event, a function that was deleted meanwhile
  sandbox_failed,  // the isolation could not be made
  unavailable,     // a driver or runtime that is missing, a server that shuts down, a defect
  // HTTP functions: whoever asked went away before the response was whole, or broke off the body of
  // the request.
  client_gone,
};

// In the order in which they happen. Those that a call did not have are not in its record.
enum class CallStep : std::uint8_t {
  waiting,   // in line, until an instance was free or one was started for the line
  thaw,      // the instance was frozen
  sandbox,   // the driver makes the isolation; the steps of it that the driver tells follow
  stem,      // of `sandbox`: one that waited for a function is taken, and gets its limits
  cgroup,    // of `sandbox`: the limits
  create,    // of `sandbox`: Docker makes the container
  clone,     // of `sandbox`: the process in its namespaces; of Docker its start, mounts included
  mount,     // of `sandbox`: the root and the code
  launch,    // of `sandbox`: from there to the program that runs in it
  init,      // the runtime and the function's code, to its first `next`; a port that is listened on
  handler,   // event to answer; of an HTTP function to the response's head
  response,  // from there to what the caller was handed: the log's end and the result, or the last
             // byte of an HTTP function's body
};

struct CallRecord {
  struct Step {
    CallStep step = CallStep::waiting;
    // From the call's begin. Negative where the step began before it: a start that was under way.
    std::chrono::microseconds begin{0};
    std::chrono::microseconds duration{0};
  };

  std::string_view request_id;  // the same over the attempts of an asynchronous event
  std::string_view function;
  std::string_view version;    // "$LATEST" or a number
  std::string_view qualifier;  // as the caller named it; "" where it named none
  CallSource source = CallSource::api;
  std::string_view amzn_trace_id;  // X-Amzn-Trace-Id's value, as the function gets it
  TraceContext trace;
  std::string_view trace_state;  // tracestate, or ""
  std::string_view instance;     // "" where it got none
  WallTime begin{};
  // Of an asynchronous event: when it came into the queue.
  std::optional<WallTime> accepted;
  bool http = false;  // an HTTP function
  // The first call of its instance. Where that was started by a deploy or for another call that
  // went elsewhere, the start is no step of this call.
  bool cold = false;
  std::chrono::microseconds total{0};
  CallEnd end = CallEnd::success;
  // "Sandbox.Timedout", the function's own; of a call that was throttled AWS's word for the limit;
  // "" on success.
  std::string_view error_type;
  // Why it was throttled, refused or not started, for people; "" where the function ran.
  std::string_view reason;
  unsigned status = 0;  // of an HTTP function's response; 0 where there was none, and for handlers
  std::uint64_t memory_peak_bytes = 0;  // of its instance so far; 0 where it was not measured
  std::uint64_t payload_bytes = 0;
  std::uint64_t response_bytes = 0;
  int attempt = 1;

  [[nodiscard]] std::span<const Step> steps() const { return {steps_.data(), step_count_}; }
  // What is beyond the room for every kind of step once is dropped.
  void add(CallStep step, std::chrono::microseconds step_begin,
           std::chrono::microseconds duration) {
    if (step_count_ < steps_.size()) steps_[step_count_++] = Step{step, step_begin, duration};
  }
  // Null where the call had no such step.
  [[nodiscard]] const Step* find(CallStep step) const {
    for (const auto& one : steps()) {
      if (one.step == step) return &one;
    }
    return nullptr;
  }

 private:
  std::array<Step, 10> steps_{};
  std::size_t step_count_ = 0;
};

// Whether the function was at fault, rather than a limit, the server or whoever called.
[[nodiscard]] constexpr bool is_function_error(CallEnd end) {
  return end >= CallEnd::handler_error && end <= CallEnd::response_too_large;
}

// Takes the records of one loop, on that loop.
class CallSink {
 public:
  virtual ~CallSink() = default;
  // Cheap: it stands between the function's answer and whoever waits for it. What it keeps it
  // copies.
  virtual void record(const CallRecord& call) noexcept = 0;
};

// Hands every record to several sinks, in order. They outlive it.
class CallFanOut final : public CallSink {
 public:
  explicit CallFanOut(std::vector<CallSink*> sinks) : sinks_(std::move(sinks)) {}
  void record(const CallRecord& call) noexcept override {
    for (auto* sink : sinks_) sink->record(call);
  }

 private:
  std::vector<CallSink*> sinks_;
};

// Their names in JSON and in texts: "url", "handler_error", "init".
[[nodiscard]] std::string_view to_string(CallSource source);
[[nodiscard]] std::string_view to_string(CallEnd end);
[[nodiscard]] std::string_view to_string(CallStep step);

}  // namespace lambda::observe
