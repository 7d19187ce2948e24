// The settings of the version that a deploy makes: what the caller named, over what the function
// had. Pure.
#pragma once

#include "base/result.h"
#include "deploy/deployer.h"
#include "function/function.h"

#include <string>
#include <vector>

namespace lambda::deploy {

// `lambda deploy` gives a new function so long; API clients get AWS's 3 s.
inline constexpr int kDefaultTimeoutSeconds = 30;

// `before` is what the function had, or null for a new function. Checks everything that needs no
// build. Errors: invalid, validation; each says what to do.
Result<function::Configuration> merge_settings(const DeployRequest& request,
                                               const function::Configuration* before,
                                               function::DriverName standard_driver);

// What of the two is not the same, in the words of lambda.toml; what that does not know in AWS's.
[[nodiscard]] std::vector<std::string> differing_settings(const function::Configuration& one,
                                                          const function::Configuration& other);

}  // namespace lambda::deploy
