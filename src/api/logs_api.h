// GET /_lambda/functions/NAME/logs: an answer, or server-sent events while the log goes on.
// docs/logs.md has the protocol.
#pragma once

#include "api/operation.h"

namespace lambda::api {

Task<Answer> get_logs(Services& services, Exchange& exchange);

}  // namespace lambda::api
