// Functions, versions and aliases as AWS writes them. Pure.
#pragma once

#include "function/catalog.h"
#include "function/function.h"

#include <boost/json.hpp>

namespace lambda::api {

struct Exchange;
struct Services;

// FunctionConfiguration. `qualified`: $LATEST's ARN carries its qualifier too (lists,
// ?Qualifier=$LATEST). Who may not deploy the function gets AWS's Environment.Error in place of its
// variables, their names included.
[[nodiscard]] boost::json::object configuration_json(const Services& services,
                                                     const Exchange& exchange,
                                                     const function::Version& version,
                                                     bool qualified);
[[nodiscard]] boost::json::object alias_json(const function::Catalog& catalog,
                                             std::string_view function,
                                             const function::Alias& alias);
// "2026-01-02T03:04:05.000+0000"
[[nodiscard]] std::string aws_time(WallTime time);

}  // namespace lambda::api
