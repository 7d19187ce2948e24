// Where the time of single calls went: GET /_lambda/traces/{request id} and
// GET /_lambda/functions/*/traces (docs/tracing.md).
#pragma once

#include "api/operation.h"

namespace lambda::api {

Task<Answer> get_trace(Services& services, Exchange& exchange);
Task<Answer> list_traces(Services& services, Exchange& exchange);

}  // namespace lambda::api
