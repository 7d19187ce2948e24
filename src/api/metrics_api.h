// The metrics: Prometheus' text at /metrics, and JSON under /_lambda/. docs/metrics.md.
#pragma once

#include "api/operation.h"

namespace lambda::api {

Task<Answer> get_metrics(Services& services, Exchange& exchange);
Task<Answer> get_stats(Services& services, Exchange& exchange);
Task<Answer> get_function_stats(Services& services, Exchange& exchange);

}  // namespace lambda::api
