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

}  // namespace lambda::api
