// Keys under /_lambda/keys: who may call this server, and what. For administrators' keys that are
// for all functions, and people on the unix socket.
#pragma once

#include "api/operation.h"

namespace lambda::api {

Task<Answer> create_key(Services& services, Exchange& exchange);
Task<Answer> list_keys(Services& services, Exchange& exchange);
Task<Answer> revoke_key(Services& services, Exchange& exchange);

}  // namespace lambda::api
