// The Cors object of a function URL's configuration, checked as AWS checks it. Pure.
#pragma once

#include "base/result.h"

#include <boost/json.hpp>

#include <string>

namespace lambda::api {

// Its known members as JSON text, or "" where it has none (which takes the setting away). Errors:
// SerializationException, validation.
Result<std::string> read_cors(const boost::json::object& given);

}  // namespace lambda::api
