// The settings of a deploy as a caller writes them. Pure.
#pragma once

#include "base/result.h"
#include "deploy/deployer.h"

#include <boost/json.hpp>

#include <string>

namespace lambda::api {

// Errors: invalid, naming the member.
Result<deploy::DeployRequest> read_deploy_request(std::string name,
                                                  const boost::json::object& settings);

}  // namespace lambda::api
