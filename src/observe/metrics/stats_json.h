// The metrics as JSON, for `lambda stats` and other clients of the control API: docs/control-api.md
// has the members. Times are milliseconds, memory is bytes. Any thread.
#pragma once

#include "observe/metrics/scene.h"

#include <boost/json.hpp>

#include <string>
#include <vector>

namespace lambda::observe {

// Functions that have not been called are there, too.
[[nodiscard]] boost::json::object stats_json(const Scene& scene,
                                             const std::vector<std::string>& functions);
[[nodiscard]] boost::json::object function_stats_json(const Scene& scene,
                                                      const std::string& function);

}  // namespace lambda::observe
