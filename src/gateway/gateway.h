// Gateway: the handler behind the listening sockets. The Host decides whether a request is a
// function's or the API's. Any loop.
#pragma once

#include "access/key_checker.h"
#include "base/async.h"
#include "base/clock.h"
#include "function/catalog.h"
#include "gateway/function_door.h"
#include "gateway/router.h"
#include "http/server.h"
#include "invoke/invoker.h"

#include <cstdint>
#include <string_view>

namespace lambda::gateway {

// How http::RequestObserver is told of a door: 1, 2, 3, in the order of Door. 0: it came to none.
[[nodiscard]] std::uint8_t counted_as(Door door);

class Gateway final : public http::Handler {
 public:
  // `domain` is what stands behind a function's label ("localhost"). All references outlive it.
  Gateway(std::string_view domain, const function::Catalog& catalog, invoke::Invoker& invoker,
          const access::KeyChecker& keys, BlockingPool& disk, const Clock& clock,
          http::Handler& api, AsyncCalls async, invoke::TraceRules traces = invoke::TraceRules())
      : router_(domain),
        door_(catalog, invoker, keys, disk, clock, std::move(async), traces),
        api_(api) {}

  Task<void> handle(http::Request& request, http::BodyReader& body,
                    http::ResponseWriter& writer) override;

 private:
  Router router_;
  FunctionDoor door_;
  http::Handler& api_;
};

}  // namespace lambda::gateway
