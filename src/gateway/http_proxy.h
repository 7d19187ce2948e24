// The reverse proxy in front of HTTP functions: bodies stream both ways at the pace of the slower
// side, an upgrade becomes a tunnel, and whichever side goes away takes the other one along.
// One Proxied request belongs to one loop.
#pragma once

#include "base/async.h"
#include "function/function.h"
#include "gateway/reply.h"
#include "gateway/router.h"
#include "http/body.h"
#include "http/message.h"
#include "http/server.h"
#include "invoke/invoker.h"

#include <chrono>
#include <string>

namespace lambda::gateway {

// One request for an HTTP function; all it refers to outlives the call.
struct ProxiedRequest {
  ProxiedRequest(const http::Request& its_request, http::BodyReader& its_body,
                 const Route& its_route, const Reply& its_reply, function::Resolved its_target,
                 std::string its_trace_id)
      : request(its_request),
        body(its_body),
        route(its_route),
        reply(its_reply),
        target(std::move(its_target)),
        trace_id(std::move(its_trace_id)) {}
  const http::Request& request;
  http::BodyReader& body;
  const Route& route;
  const Reply& reply;
  function::Resolved target;
  std::string trace_id;
};

// Answers it. The function's timeout is the longest wait for the response's head while nothing of
// the request's body moves (504), and after that the longest silence.
Task<void> proxy(invoke::Invoker& invoker, ProxiedRequest proxied, http::ResponseWriter& writer);

}  // namespace lambda::gateway
