// POST /_lambda/functions/NAME/deploy: settings in a header, the code as the body, progress as JSON
// lines.
#pragma once

#include "api/operation.h"

namespace lambda::api {

Task<Answer> deploy_function(Services& services, Exchange& exchange);

}  // namespace lambda::api
