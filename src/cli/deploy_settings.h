// The settings of a deploy as the server takes them: flags over lambda.toml. Reads --env-file;
// blocking.
#pragma once

#include "base/result.h"
#include "cli/commands.h"
#include "cli/project/manifest.h"

#include <boost/json.hpp>

namespace lambda::cli {

// Errors: invalid (a K=V that is none, a file that cannot be read, a message that is too long).
Result<boost::json::object> deploy_settings(const DeployOptions& options, const Manifest& manifest);

}  // namespace lambda::cli
