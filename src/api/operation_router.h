// Method and path to operation. Paths are matched as they came, segment by segment; what stands for
// a variable part is decoded once, afterwards. One trailing slash more or less is the same path.
// Immutable after construction; any thread.
#pragma once

#include "api/operation.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::api {

struct Matched {
  const Operation* operation = nullptr;
  std::vector<std::string> captures;
  bool needs_key = true;
};

class OperationRouter {
 public:
  OperationRouter();  // with every operation of this server

  // Errors: not_found (UnknownOperationException), invalid (a known path with another method; names
  // those there are).
  [[nodiscard]] Result<Matched> match(const http::Request& request) const;

  struct Route {
    std::string method;
    std::vector<std::string> segments;  // "*" captures
    std::string when_query;             // only where this query parameter is there
    Operation operation;
    bool needs_key = true;
  };
  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
  void add(std::string method, std::string_view path, Operation operation,
           std::string when_query = {});
  void add_aws();
  void add_refused();
  void add_refused_families();
  void add_own();
  void add_schedules();

  std::vector<Route> routes_;
};

}  // namespace lambda::api
