// Secrets under /_lambda/secrets: put, list, delete. A value comes in as the body of a put, and
// none ever goes out.
#pragma once

#include "api/operation.h"

namespace lambda::api {

// {"name","function","as","digest","changed","usedBy","askedForBy"}
Task<Answer> list_secrets(Services& services, Exchange& exchange);
Task<Answer> put_secret(Services& services, Exchange& exchange);
Task<Answer> delete_secret(Services& services, Exchange& exchange);

}  // namespace lambda::api
