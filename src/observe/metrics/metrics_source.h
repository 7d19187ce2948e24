// MetricsSource: the metrics as the API gives them out; the server implements it. Any loop.
#pragma once

#include "base/async.h"
#include "base/result.h"

#include <boost/json.hpp>

#include <string>

namespace lambda::observe {

class MetricsSource {
 public:
  virtual ~MetricsSource() = default;
  // Prometheus' text. What it shows is in the database before: after a restart no counter is less.
  // Errors: overloaded (others are being answered).
  virtual Task<Result<std::string>> prometheus() = 0;
  // The server and all functions; docs/control-api.md has the members. Errors as above.
  virtual Task<Result<boost::json::object>> stats() = 0;
  // One function that there is.
  virtual Task<Result<boost::json::object>> stats_of(std::string function) = 0;
};

}  // namespace lambda::observe
