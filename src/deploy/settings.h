// The settings of the version that a deploy makes: what the caller named, over what the function
// had. Pure.
#pragma once

#include "base/result.h"
#include "deploy/deployer.h"
#include "function/function.h"

namespace lambda::deploy {

// `lambda deploy` gives a new function so long; API clients get AWS's 3 s.
inline constexpr int kDefaultTimeoutSeconds = 30;

// `before` is what the function had, or null for a new function. Checks everything that needs no
// build. Errors: invalid, validation; each says what to do.
Result<function::Configuration> merge_settings(const DeployRequest& request,
                                               const function::Configuration* before,
                                               function::DriverName standard_driver);

}  // namespace lambda::deploy
