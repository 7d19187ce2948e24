// POST /_lambda/functions/NAME/deploy/check {"settings":{...},"events":{...},"schedules":[D,...]}:
// whether such a deploy, with the event settings and schedules that belong to it, would be taken.
// Nothing is changed, and the function need not be there yet.
#pragma once

#include "api/operation.h"

namespace lambda::api {

Task<Answer> check_deploy(Services& services, Exchange& exchange);

}  // namespace lambda::api
