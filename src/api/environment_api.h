// A function's environment variables under /_lambda/functions/NAME/environment: their names and
// digests, on demand their values, and changes that become live as a deploy does.
#pragma once

#include "api/operation.h"

namespace lambda::api {

Task<Answer> get_environment(Services& services, Exchange& exchange);
Task<Answer> change_environment(Services& services, Exchange& exchange);

}  // namespace lambda::api
