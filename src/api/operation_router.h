// Method and path to operation. Paths are matched as they came, segment by segment; what stands for
// a variable part is decoded once, afterwards. One trailing slash more or less is the same path.
// Immutable after construction; any thread.
#pragma once

#include "api/access_rule.h"
#include "api/operation.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::api {

struct Matched {
  const Operation* operation = nullptr;
  std::vector<std::string> captures;
  const AccessRule* rule = nullptr;
};

class OperationRouter {
 public:
  // With every operation of this server. `metrics_open`: /metrics wants no key.
  explicit OperationRouter(bool metrics_open = false);

  // Errors: not_found (UnknownOperationException), invalid (a known path with another method; names
  // those there are; or a query parameter that the operation does not take).
  [[nodiscard]] Result<Matched> match(const http::Request& request) const;

  struct Route {
    explicit Route(AccessRule its_rule) : rule(std::move(its_rule)) {}
    AccessRule rule;
    std::string method;
    std::vector<std::string> segments;  // "*" captures
    std::string when_query;             // only where this query parameter is there
    Operation operation;
    // All query parameters that it takes. Nothing: others are passed over, as AWS does.
    std::optional<std::vector<std::string>> parameters;
  };
  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
  void add(std::string method, std::string_view path, Operation operation, AccessRule rule,
           std::string when_query = {});
  // One of ours, which takes these query parameters and no others.
  void add_own(std::string method, std::string_view path, Operation operation, AccessRule rule,
               std::vector<std::string> parameters = {});
  void add_aws();
  void add_refused();
  void add_refused_families();
  void add_own();
  void add_schedules();
  void add_administration();

  std::vector<Route> routes_;
};

}  // namespace lambda::api
