// Invoke: AWS's operation, and the command line's, which follows `live`.
#pragma once

#include "api/operation.h"

namespace lambda::api {

Task<Answer> invoke_function(Services& services, Exchange& exchange);
// InvokeAsync, the old form of an Event.
Task<Answer> invoke_async(Services& services, Exchange& exchange);
Task<Answer> invoke_live(Services& services, Exchange& exchange);

}  // namespace lambda::api
