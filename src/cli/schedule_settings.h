// What lambda.toml says of a function's schedules. Blocking.
#pragma once

#include "base/result.h"
#include "cli/connection/server_connection.h"
#include "cli/project/manifest.h"

#include <boost/json.hpp>

#include <string>
#include <vector>

namespace lambda::cli {

// As the server takes them.
[[nodiscard]] boost::json::array schedules_json(const Manifest& manifest);
// These, and no other declared ones; asks nothing of a server that has none and shall get none.
// What became of which, a line each.
Result<std::vector<std::string>> declare_schedules(ServerConnection& server,
                                                   const std::string& function,
                                                   const Manifest& manifest);

}  // namespace lambda::cli
