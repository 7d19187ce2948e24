// FunctionDoor answers a request for a function at its URL.
//
// Steps: find the function -> CORS preflight -> who may call (the URL's own rule) -> a handler gets
// an event, an HTTP function the request itself. Threads: any loop; a request stays on its
// connection's.
#pragma once

#include "access/key_checker.h"
#include "base/async.h"
#include "base/blocking.h"
#include "base/clock.h"
#include "function/catalog.h"
#include "gateway/async_calls.h"
#include "gateway/failure_log.h"
#include "gateway/reply.h"
#include "gateway/router.h"
#include "http/body.h"
#include "http/server.h"
#include "invoke/call_trace.h"
#include "invoke/invoker.h"

namespace lambda::gateway {

class FunctionDoor {
 public:
  // All outlive it. On `disk` large bodies are worked through: their signatures, and what makes
  // them an event, or a result a response.
  FunctionDoor(const function::Catalog& catalog, invoke::Invoker& invoker,
               const access::KeyChecker& keys, BlockingPool& disk, const Clock& clock,
               AsyncCalls async, invoke::TraceRules traces)
      : catalog_(catalog),
        invoker_(invoker),
        keys_(keys),
        disk_(disk),
        clock_(clock),
        async_(std::move(async)),
        traces_(traces),
        failures_(clock) {}

  Task<void> handle(const Route& route, http::Request& request, http::BodyReader& body,
                    http::ResponseWriter& writer);

 private:
  struct Admitted;   // what may go on: the target, and who calls
  struct Admission;  // whether it may

  Task<Admission> admit(const function::Function& function, http::Request& request,
                        http::BodyReader& body, const Reply& reply);
  Task<void> pass_on(const Route& route, const http::Request& request, http::BodyReader& body,
                     const Reply& reply, Admitted admitted, http::ResponseWriter& writer);
  Task<http::Response> call_handler(const Route& route, const http::Request& request,
                                    http::BodyReader& source, const Reply& reply,
                                    Admitted admitted);
  Task<http::Response> queue_call(const http::Request& request, const Reply& reply,
                                  const function::Function& function, std::string event,
                                  invoke::KeptTrace trace);
  [[nodiscard]] Result<Done> check_caller(const access::Caller& caller,
                                          const std::string& function) const;
  [[nodiscard]] Result<function::Resolved> find(const Route& route) const;
  Task<http::Response> answer_of(invoke::Outcome outcome, const Reply& reply, int timeout_seconds);

  const function::Catalog& catalog_;
  invoke::Invoker& invoker_;
  const access::KeyChecker& keys_;
  BlockingPool& disk_;
  const Clock& clock_;
  AsyncCalls async_;
  invoke::TraceRules traces_;
  FailureLog failures_;
};

}  // namespace lambda::gateway
