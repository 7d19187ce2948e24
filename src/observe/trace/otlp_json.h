// Calls as OTLP's JSON (https://opentelemetry.io/docs/specs/otlp/): a server span for each call,
// and below it a span for each of its steps, with the names of OpenTelemetry's semantic conventions
// for functions as a service. Pure.
#pragma once

#include "observe/trace/kept_call.h"

#include <boost/json.hpp>

#include <functional>
#include <span>
#include <string>

namespace lambda::observe {

// `new_span` gives the ids of the steps' spans. `version`: this server's.
[[nodiscard]] boost::json::object otlp_request(
    std::span<const KeptCall> calls, const std::string& version,
    const std::function<TraceContext::SpanId()>& new_span);

}  // namespace lambda::observe
