// `lambda version`. Blocking.
#pragma once

#include "cli/connection/target.h"

#include <string>

namespace lambda::cli {

// `own`: this program's. Ends with kUnreachable or another code where the server does not say its
// own.
int show_versions(const ConnectionOptions& connection, const std::string& own, bool json);

}  // namespace lambda::cli
