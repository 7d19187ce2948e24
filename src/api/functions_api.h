// CreateFunction, GetFunction, GetFunctionConfiguration, ListFunctions, UpdateFunctionCode,
// UpdateFunctionConfiguration, DeleteFunction.
#pragma once

#include "api/operation.h"

namespace lambda::api {

Task<Answer> create_function(Services& services, Exchange& exchange);
Task<Answer> get_function(Services& services, Exchange& exchange);
Task<Answer> get_function_configuration(Services& services, Exchange& exchange);
Task<Answer> list_functions(Services& services, Exchange& exchange);
Task<Answer> update_function_code(Services& services, Exchange& exchange);
Task<Answer> update_function_configuration(Services& services, Exchange& exchange);
Task<Answer> delete_function(Services& services, Exchange& exchange);

// Its events go first, in steps: a long queue holds up nobody. Errors: not_found, unavailable (the
// function is still there then, and has lost events at most).
Task<Result<Done>> delete_whole_function(Services& services, std::string name);

}  // namespace lambda::api
