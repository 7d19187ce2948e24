// /_lambda/schedules: when functions are called by themselves.
#pragma once

#include "api/operation.h"

namespace lambda::api {

// GET /_lambda/schedules, and of one function: {"schedules":[I,...]}
Task<Answer> list_schedules(Services& services, Exchange& exchange);
Task<Answer> list_function_schedules(Services& services, Exchange& exchange);
// POST /_lambda/schedules/check {"schedules":[D,...]}: whether they could be saved; nothing is.
// {"schedules":[{"name","times":[...]}]}
Task<Answer> check_schedules(Services& services, Exchange& exchange);
// PUT /_lambda/functions/NAME/schedules {"schedules":[D,...]}: those that lambda.toml declares;
// declared ones that it does not name go. {"schedules":[S,...],"changes":[{"name","change"}]}
Task<Answer> declare_schedules(Services& services, Exchange& exchange);
// GET, PUT, DELETE /_lambda/functions/NAME/schedules/SCHEDULE
Task<Answer> get_schedule(Services& services, Exchange& exchange);
Task<Answer> put_schedule(Services& services, Exchange& exchange);
Task<Answer> delete_schedule(Services& services, Exchange& exchange);
// POST the same and /pause, /resume, /run ({"event": ID})
Task<Answer> pause_schedule(Services& services, Exchange& exchange);
Task<Answer> resume_schedule(Services& services, Exchange& exchange);
Task<Answer> run_schedule(Services& services, Exchange& exchange);

// A body with a list of schedules, and their data.
inline constexpr std::size_t kLargestScheduleList = 16u << 20;
// Whether the function, which need not be there yet, could have the schedules of
// {"schedules":[D,...]}.
Task<Result<Done>> check_declared_schedules(Services& services, std::string function,
                                            boost::json::object body);

}  // namespace lambda::api
