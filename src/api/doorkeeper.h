// The doorkeeper: whether a caller who is known may run the operation that was matched. One
// coroutine a request, on its loop; asks the database only where an event has to tell whose it is.
#pragma once

#include "api/operation.h"

#include <string>

namespace lambda::api {

// The function that the request concerns, "" where that is none, or the body will tell. Errors:
// denied, with AWS's words; of events that are not there, theirs.
Task<Result<std::string>> check_access(Services& services, const Exchange& exchange);

}  // namespace lambda::api
