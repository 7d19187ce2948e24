// Looking at the audit, under /_lambda/audit. For administrators' keys that are for all functions,
// and people on the unix socket.
#pragma once

#include "api/operation.h"

namespace lambda::api {

Task<Answer> list_audit(Services& services, Exchange& exchange);
Task<Answer> verify_audit(Services& services, Exchange& exchange);

}  // namespace lambda::api
