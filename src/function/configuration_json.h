// A version's settings as the JSON text of its database row. Members that are not there read as
// their defaults, so a setting can be added without a migration.
#pragma once

#include "base/result.h"
#include "function/function.h"

#include <string>
#include <string_view>

namespace lambda::function {

[[nodiscard]] std::string to_json(const Configuration& configuration);
// Error: internal (the row was changed by hand).
[[nodiscard]] Result<Configuration> configuration_from_json(std::string_view text);

}  // namespace lambda::function
