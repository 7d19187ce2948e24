// The settings of a deploy as a caller writes them. Pure.
#pragma once

#include "api/operation.h"
#include "base/result.h"
#include "deploy/deployer.h"

#include <boost/json.hpp>

#include <string>

namespace lambda::api {

// The deploy of the function that the path names, as far as the caller may have it. Errors: those
// below; denied: an image by its name, of a key that is for some functions only.
Result<deploy::DeployRequest> admit_deploy_request(const Exchange& exchange,
                                                   const boost::json::object& settings);

// Errors: invalid, naming the member.
Result<deploy::DeployRequest> read_deploy_request(std::string name,
                                                  const boost::json::object& settings);

}  // namespace lambda::api
