// What came of an asynchronous event, as `lambda result` and `lambda invoke --async --wait` show
// it.
#pragma once

#include "cli/connection/server_connection.h"

#include <string>

namespace lambda::cli {

// The payload on standard output, verbatim. Returns the exit code: kFunctionFailed for a dead
// event. With `wait` it asks until the event has ended, and tells on standard error of attempts
// that fail meanwhile.
int show_result(ServerConnection& server, const std::string& id, bool wait);

}  // namespace lambda::cli
