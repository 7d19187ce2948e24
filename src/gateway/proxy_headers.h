// Requests and responses as a reverse proxy passes them on: without the fields that concern one
// connection alone (RFC 9110, 7.6.1). Pure.
#pragma once

#include "gateway/router.h"
#include "http/message.h"
#include "invoke/call_trace.h"

#include <string_view>

namespace lambda::gateway {

// True when the client asks for another protocol (WebSocket or any other) on this connection.
[[nodiscard]] bool is_upgrade(const http::Request& request);

// The request for an HTTP function: the route's target, the client's fields and the
// forwarded_fields() of it; the Host stays. The call's own span is the traceparent. Content-Length
// and Transfer-Encoding are left to the client connection.
[[nodiscard]] http::Request upstream_request(const http::Request& request, const Route& route,
                                             const invoke::CallTrace& trace,
                                             std::string_view request_id);

// The head of the function's response for the client. Content-Length stays.
[[nodiscard]] http::Response downstream_head(http::Response response);

}  // namespace lambda::gateway
