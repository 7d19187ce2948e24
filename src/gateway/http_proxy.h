// The reverse proxy in front of HTTP functions: bodies stream both ways at the pace of the slower
// side, an upgrade becomes a tunnel, and whichever side goes away takes the other one along.
// One Proxied request belongs to one loop.
#pragma once

#include "access/key_checker.h"
#include "base/async.h"
#include "function/function.h"
#include "gateway/reply.h"
#include "gateway/router.h"
#include "http/body.h"
#include "http/message.h"
#include "http/server.h"
#include "invoke/call_trace.h"
#include "invoke/invoker.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace lambda::gateway {

// One request for an HTTP function; all it refers to outlives the call.
struct ProxiedRequest {
  ProxiedRequest(const http::Request& its_request, http::BodyReader& its_body,
                 const Route& its_route, const Reply& its_reply, function::Resolved its_target,
                 invoke::CallTrace its_trace)
      : request(its_request),
        body(its_body),
        route(its_route),
        reply(its_reply),
        target(std::move(its_target)),
        trace(std::move(its_trace)) {}
  const http::Request& request;
  http::BodyReader& body;
  const Route& route;
  const Reply& reply;
  function::Resolved target;
  invoke::CallTrace trace;
  // Of one that a key let in: watches the key, and calls what it is given when it is none any more.
  std::function<std::unique_ptr<access::KeyWatch>(LoopExecutor, std::function<void(const Error&)>)>
      watch_key;
};

// Answers it, or stops to when the key that let it in is revoked or ends. The function's timeout is
// the longest wait for the response's head while nothing of the request's body moves (504), and
// after that the longest silence.
Task<void> proxy(invoke::Invoker& invoker, ProxiedRequest proxied, http::ResponseWriter& writer);

}  // namespace lambda::gateway
