// What lambda.toml says of a function's schedules: checked by the server before anything is
// deployed, and declared after. Blocking.
#pragma once

#include "base/result.h"
#include "cli/connection/server_connection.h"
#include "cli/project/manifest.h"

#include <string>

namespace lambda::cli {

// Errors: invalid, with the schedule's name, the reason and a remedy.
Result<Done> check_schedules(ServerConnection& server, const Manifest& manifest);
// These, and no other declared ones; asks nothing of a server that has none and shall get none.
Result<Done> declare_schedules(ServerConnection& server, const std::string& function,
                               const Manifest& manifest);

}  // namespace lambda::cli
