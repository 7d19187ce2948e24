// How a call of a function's URL gets into the event queue, which stands beside the gateway and not
// below it: whoever builds both connects them.
#pragma once

#include "base/async.h"
#include "base/result.h"
#include "invoke/call_trace.h"

#include <functional>
#include <string>

namespace lambda::gateway {

struct AsyncCall {
  std::string function;
  std::string payload;  // the event
  std::string request_id;
  invoke::KeptTrace trace;
  std::string token;  // X-Lambda-Idempotency-Key, or ""
};

struct AsyncCalls {
  // The request id (an earlier one where the token is known) once the event is on disk. Errors:
  // unavailable, too_large.
  std::function<Task<Result<std::string>>(AsyncCall call)> submit;
  // Whether X-Lambda-Async is heard where everybody may call: they could fill the disk.
  bool on_open_urls = false;
};

}  // namespace lambda::gateway
