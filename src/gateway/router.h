// Which door a request came to: a function's, by its Host or by /fn/NAME, or the API's. Pure; the
// catalog is asked by whoever follows the route. Any thread.
//
//   Host NAME.<domain>            -> function, by host label; every path is its own
//   Host anything.else.<domain>   -> function, by a label that no function has
//   any other Host, /fn/NAME/...  -> function, by name; rawPath drops /fn/NAME
//   any other Host, other paths   -> API
#pragma once

#include "http/message.h"

#include <string>
#include <string_view>

namespace lambda::gateway {

enum class Door { api, function_host, function_path };

struct Route {
  Door door = Door::api;
  std::string name;    // the host label in lower case, or the name as the path has it
  std::string prefix;  // what was dropped of the path ("/fn/greet"), or ""
  std::string target;  // path and query that the function sees

  [[nodiscard]] std::string_view path() const;
  [[nodiscard]] std::string_view query() const;
};

class Router {
 public:
  // `domain` is what stands behind the function's label: "localhost", "fn.example.org".
  explicit Router(std::string_view domain);
  [[nodiscard]] Route route(const http::Request& request) const;

 private:
  std::string suffix_;  // ".localhost"
};

// The name in a Host header: without port and without a trailing dot, lower case. "[::1]" keeps its
// brackets.
[[nodiscard]] std::string host_name(std::string_view host);

}  // namespace lambda::gateway
