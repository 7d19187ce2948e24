// What lambda.toml says of events and schedules: set once the functions are there, as they may name
// each other. Blocking.
#pragma once

#include "cli/connection/server_connection.h"
#include "cli/deploy_plan.h"

#include <span>
#include <string>
#include <vector>

namespace lambda::cli {

struct AfterDeploy {
  int code = 0;                      // of the first that failed
  std::vector<std::string> not_set;  // "the schedules of \"greet\""
};

// Of those that were deployed; `missing` are those of the same command that were not. Says what
// fails as it fails, and goes on.
AfterDeploy set_what_follows(ServerConnection& server, std::span<const DeployPlan> deployed,
                             std::span<const DeployPlan> missing);

}  // namespace lambda::cli
