// What GET /_lambda/functions/NAME/logs asks for. Pure.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "function/function.h"
#include "http/message.h"
#include "observe/log_store.h"

namespace lambda::api {

struct LogRequest {
  observe::LogStore::Query query;
  bool follow = false;
};

// limit, since, until, search, level, requestId, version, after (or Last-Event-ID), follow (or
// Accept: text/event-stream). Errors: invalid; not_found (a version that never was).
Result<LogRequest> read_log_request(const http::Request& request,
                                    const function::Function& function, WallTime now);

}  // namespace lambda::api
