// How much of a function's log is kept, where the function says so itself: as a deploy and an
// operation of its own write it, and as it is shown.
#pragma once

#include "api/operation.h"

namespace lambda::api {

// {"size":MB|null,"age":seconds|null}: what is absent stays, null gives it back to the server, and
// 0 seconds keep lines of any age. Pure. Errors: invalid, with what may be.
Result<function::LogSettingsChange> read_log_settings(const boost::json::object& settings);
// {"size":MB,"age":seconds,"own":["size","age"]}: what is in effect, and what of it is the
// function's own.
[[nodiscard]] boost::json::object log_settings_json(Services& services,
                                                    const function::Function& function);

// PUT /_lambda/functions/NAME/log-settings
Task<Answer> put_log_settings(Services& services, Exchange& exchange);

}  // namespace lambda::api
