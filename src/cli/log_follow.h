// lambda logs --follow: over restarts of the server and cuts of the network, each line once.
// Blocking; main thread.
#pragma once

#include "cli/commands.h"

#include <string>

namespace lambda::cli {

// `filter`: what of the query holds for every line ("&level=error..."). Ends when the function is
// deleted, or refused to us, also while it is followed; the exit code.
int follow_logs(const ConnectionOptions& connection, const LogsOptions& options,
                const std::string& filter);

}  // namespace lambda::cli
