// The settings in the body of CreateFunction and UpdateFunctionConfiguration, laid over what there
// was. Pure.
#pragma once

#include "base/result.h"
#include "function/function.h"

#include <boost/json.hpp>

#include <string_view>

namespace lambda::api {

// `name` is the function's. Members that are absent leave the field as it is. A member that would
// change behaviour and is not supported here is refused by name, never only stored. Errors: invalid
// (AWS's texts, or what to use instead), SerializationException.
Result<function::Configuration> apply_configuration(function::Configuration configuration,
                                                    const boost::json::object& body,
                                                    std::string_view name);

}  // namespace lambda::api
