// The settings of the version that a deploy makes: what the caller named, over what the function
// had. Pure.
#pragma once

#include "base/result.h"
#include "deploy/deployer.h"
#include "function/function.h"

#include <string>
#include <string_view>
#include <vector>

namespace lambda::deploy {

// `lambda deploy` gives a new function so long; API clients get AWS's 3 s.
inline constexpr int kDefaultTimeoutSeconds = 30;

// `before` is what the function had, or null for a new function. Checks everything that needs no
// build. Errors: invalid, validation; each says what to do.
Result<function::Configuration> merge_settings(const DeployRequest& request,
                                               const function::Configuration* before,
                                               function::DriverName standard_driver);

// What `merged` asks for that somebody who answers for some functions alone may not give: a secret
// that no version of `before` (null: there is none) has asked for. It may be a shared one, and be
// told by the function; or become one, when the function's own of that name is deleted.
[[nodiscard]] Result<Done> check_new_secrets(std::string_view function,
                                             const function::Configuration& merged,
                                             const function::Function* before);

// What of the two is not the same, in the words of lambda.toml; what that does not know in AWS's.
[[nodiscard]] std::vector<std::string> differing_settings(const function::Configuration& one,
                                                          const function::Configuration& other);

}  // namespace lambda::deploy
