// What a deploy may say: the rules that the command line applies before it packs anything, and the
// server when the upload has come. One text for both. Pure; any thread.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lambda {

// What NAME.<domain> needs: 1-63 of a-z 0-9 '-', neither first nor last a '-', not reserved.
[[nodiscard]] bool is_host_label(std::string_view name);
// For `lambda deploy`, whose functions must have a URL. Error: invalid; says which rule, and a name
// that would do.
[[nodiscard]] Result<Done> check_deploy_name(std::string_view name);

// Of the line about a version, in characters.
inline constexpr std::size_t kMaxDeployMessage = 1'000;
// Error: invalid, with the limit.
[[nodiscard]] Result<Done> check_deploy_message(std::string_view message);

// Whether `name` is one of `known`. Error: invalid, with the nearest of them.
[[nodiscard]] Result<Done> check_runtime_name(std::string_view name,
                                              const std::vector<std::string>& known);

}  // namespace lambda
