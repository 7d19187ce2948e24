// Settings that AWS's clients write and read back and that change nothing here: VpcConfig,
// KMSKeyArn, TracingConfig, SnapStart. Checked for shape, so that what is read back is what AWS's
// clients can read. And LoggingConfig, of which only the one way that functions log here is taken.
// Pure.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "function/function.h"

#include <boost/json.hpp>

namespace lambda::api {

// Lays what `body` has of these over `configuration` of `function`. Errors: SerializationException
// (a wrong type), validation (a word that is not in the set), invalid (a way of logging that is not
// here).
Result<Done> take_echoed(const boost::json::object& body, std::string_view function,
                         function::Configuration& configuration);

}  // namespace lambda::api
