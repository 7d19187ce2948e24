// A version's settings as the JSON text of its database row, the environment sealed. Members that
// are not there read as their defaults, so a setting can be added without a migration.
#pragma once

#include "base/result.h"
#include "function/environment_seal.h"
#include "function/function.h"

#include <string>
#include <string_view>

namespace lambda::function {

[[nodiscard]] std::string to_json(const Configuration& configuration, const EnvironmentSeal& seal);
// Error: internal (the row was changed by hand, or sealed under another master key).
[[nodiscard]] Result<Configuration> configuration_from_json(std::string_view text,
                                                            const EnvironmentSeal& seal);

}  // namespace lambda::function
