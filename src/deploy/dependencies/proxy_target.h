// Where a request to the proxy shall go. Pure.
#pragma once

#include "base/result.h"
#include "http/client.h"
#include "http/message.h"

namespace lambda::deploy {

// "host:port" of CONNECT. Errors: invalid.
[[nodiscard]] Result<http::Endpoint> connect_target(std::string_view target);
// A request with a http:// URL, as its server shall get it: path and query, the URL's own host, and
// nothing that is the connection's own business. Errors: invalid.
struct ForwardTarget {
  http::Endpoint endpoint;
  http::Request request;
};
[[nodiscard]] Result<ForwardTarget> forward_target(const http::Request& request);
// A server's answer without what is its connection's own business.
[[nodiscard]] http::Response passed_on(http::Response response);

}  // namespace lambda::deploy
