// What a function's environment variables may be: AWS's rules, which the command line applies
// before it packs anything, and the server to whatever comes. Pure; any thread.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace lambda {

using Variables = std::map<std::string, std::string>;

inline constexpr std::size_t kMaxEnvironmentBytes = 4'096;

[[nodiscard]] bool is_variable_name(std::string_view name);
// Set by the server for every instance; a function cannot change it.
[[nodiscard]] bool is_reserved_variable(std::string_view name);
// As JSON: what the limit is measured on.
[[nodiscard]] std::string environment_text(const Variables& variables);

// For people. Error: invalid, with the variable, the rule and a remedy; no value, which may be a
// secret.
[[nodiscard]] Result<Done> check_variables(const Variables& variables);

}  // namespace lambda
