// Invoker::invoke is the one way in: the gateway, the API's Invoke and (later) the queue and the
// scheduler all end here.
//
// Steps: resolve (by the caller, through the catalog) -> admit (limits) -> acquire an instance
// (pool) -> call -> release -> record (log lines, tail, timing). Threads: call it on any loop; the
// call may be carried out by an instance of another loop, the answer comes back on the caller's.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "function/function.h"
#include "observe/call_record.h"
#include "sandbox/sandbox.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lambda::invoke {

// A handler's event: 6 MiB, as on AWS.
inline constexpr std::size_t kMaxPayloadBytes = 6 * 1024 * 1024;

// What has become of a function and version since they were resolved. Any thread.
using AskStanding = std::function<function::Standing(const function::Resolved& target)>;

// One event for one version.
struct Call {
  function::Resolved target;
  std::string payload;         // JSON for handlers; the body of POST / for HTTP functions
  std::string request_id;      // a UUID; the same over retries
  std::string trace_id;        // X-Amzn-Trace-Id's value
  std::string trace_state;     // tracestate, or ""
  std::string client_context;  // JSON text, or ""
  std::string invoked_arn;     // as the caller named it
  observe::CallSource source = observe::CallSource::api;
  observe::TraceContext trace;
  int attempt = 1;
  std::optional<WallTime> accepted;  // when it came into the queue, where it did
};

// Where the time of one call went; zero where a step did not happen.
struct Timing {
  std::chrono::microseconds waiting{0};  // for an instance
  std::chrono::microseconds start{0};    // of the sandbox (cold)
  std::chrono::microseconds init{0};     // of the runtime and the function's code (cold)
  std::chrono::microseconds handler{0};
  std::chrono::microseconds total{0};
  bool cold = false;
};

enum class FunctionError {
  none,
  handled,  // the handler threw: the payload is its error object
  init,     // the code failed to load
  timeout,
  exit,  // the runtime ended, crashed or was killed
  out_of_memory,
  response_too_large,
};

struct Outcome {
  std::string payload;  // verbatim; AWS's error object when the function failed
  FunctionError error = FunctionError::none;
  std::string
      error_type;  // "Sandbox.Timedout", "Runtime.ExitError", the function's own; "" without error
  std::string content_type = "application/json";  // an HTTP function's own
  std::string executed_version;                   // "$LATEST" or a number
  std::string log_tail;  // the last 4,096 bytes of this call's log, START to REPORT
  std::string trace_id;
  Timing timing;
};

// One request for an HTTP function, of which the proxy has the rest.
struct HttpCall {
  function::Resolved target;
  std::string request_id;
  std::string trace_id;     // X-Amzn-Trace-Id's value
  std::string trace_state;  // tracestate, or ""
  observe::TraceContext trace;
};

// What the proxy saw of it, for the call's record.
struct HttpUse {
  std::optional<SteadyTime> head;  // when the response's head had come
  unsigned status = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t response_bytes = 0;
  FunctionError error = FunctionError::none;  // the function's doing
  bool client_gone = false;                   // or the client's
};

// A connection into an instance of an HTTP function, with its slot held until it is destroyed.
class HttpLease {
 public:
  virtual ~HttpLease() = default;
  // A fresh socket connected to $PORT inside the sandbox; once.
  virtual UniqueFd take_socket() = 0;
  [[nodiscard]] virtual const Timing& timing() const = 0;
  // Whoever has the lease fills it in; it is read when the lease is given back.
  virtual HttpUse& use() = 0;
  // Ends the instance when the lease is given back (it misbehaved: no answer in time).
  virtual void discard_instance() = 0;
  // After a connection that ended without an answer: whether the instance has ended. An exit shows
  // a moment after its closed connections, and is waited for so long; whoever is told of the
  // failure only then is not sent to the same instance with the next call.
  virtual Task<bool> ended_soon() = 0;
  // Into the function's log: whoever wrote the function looks there.
  virtual Task<void> note_failure(std::string request_id, std::string reason) = 0;
};

class Invoker {
 public:
  virtual ~Invoker() = default;

  // Runs one event to its end. Errors are the platform's own: overloaded (a concurrency limit, or
  // nothing became free in time), sandbox_failed, unavailable, too_large (payload over 6 MiB for a
  // handler: 6,291,456 bytes). A function that fails is not an Error: see Outcome::error.
  virtual Task<Result<Outcome>> invoke(Call call) = 0;

  // A slot and a connection for the reverse proxy of an HTTP function.
  // Errors as above, and function_failed when its process ended or never listened on $PORT (message
  // says which, with the end of its log).
  virtual Task<Result<std::unique_ptr<HttpLease>>> open_http(HttpCall call) = 0;

  // Starts and initialises one instance of a version that is not in the catalog yet; it is kept for
  // the first call. Errors: function_failed (init failed: `failure` gets the function's own error
  // payload and log), sandbox_failed ...
  struct InitFailure {
    std::string payload;
    std::string log;
  };
  virtual Task<Result<Timing>> prepare(function::VersionPtr version, InitFailure& failure) = 0;
  // The instances prepared for `version` serve as this published version from now on (a deploy's
  // commit gives the number only after the initialisation), or are given up when it never came to a
  // commit.
  virtual void adopt_prepared(function::VersionPtr prepared, function::VersionPtr published) = 0;
  virtual void abandon_prepared(function::VersionPtr prepared) = 0;

  // Runs a built-in program of a runtime's base file system against a version's code (the bytecode
  // compiler). Same sandbox, same limits. It gets events, and each of its responses goes to `take`,
  // which says whether it shall get another; `limit` is for all of them together. Errors: those of
  // `take`; sandbox_failed: how it failed, or what kind of answer it was (response_too_large, ...).
  using TakeAnswer = std::function<Task<Result<bool>>(std::string answer)>;
  virtual Task<Result<Done>> run_builtin(function::VersionPtr version,
                                         std::vector<std::string> argv, std::chrono::seconds limit,
                                         TakeAnswer take) = 0;

  // A program of a runtime's base file system in a sandbox of its own beside a version's code, for
  // whoever serves the sandbox's socket and reads its log: `use`, on the caller's loop. It may go
  // on after `over`, but not for long; the sandbox is gone when this returns. Errors: those of
  // `use`; overloaded, unavailable, sandbox_failed.
  struct ToolRun {
    AsyncEvent over;  // the program has ended, or shall: the server shuts down
    std::optional<sandbox::ExitStatus> exit;  // it has ended
  };
  using UseSandbox = std::function<Task<Result<Done>>(sandbox::Sandbox& sandbox, ToolRun& run)>;
  virtual Task<Result<Done>> run_tool(function::VersionPtr version, std::vector<std::string> argv,
                                      UseSandbox use) = 0;

  // Ends the instances of these versions once their current calls are done; what is left after the
  // version's timeout (a connection without end) is cut then. Any thread.
  virtual void retire(const std::vector<function::VersionPtr>& versions) = 0;
  // Whether an instance of the version lives or is being started, so that its code is in use.
  virtual Task<bool> runs(function::VersionPtr version) = 0;
};

}  // namespace lambda::invoke
