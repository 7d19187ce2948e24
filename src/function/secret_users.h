// Who gets a secret. Pure; any thread.
#pragma once

#include "function/catalog.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::function {

// The functions that get it by $LATEST or by a version that an alias sends calls to, with any
// share; of one that is a function's own, that one. `function` "": a shared one.
[[nodiscard]] std::vector<std::string> users_of_secret(const Snapshot& now,
                                                       std::string_view function,
                                                       std::string_view name);
// The versions of functions that nothing sends calls to now and a rollback could, and that ask for
// it; of a shared one. Of a function's own there are none beside that function.
[[nodiscard]] std::map<std::string, std::vector<std::uint64_t>> resting_users_of_secret(
    const Snapshot& now, std::string_view function, std::string_view name);
// Every version that would be started with it.
[[nodiscard]] std::vector<VersionPtr> versions_with_secret(const Snapshot& now,
                                                           std::string_view function,
                                                           std::string_view name);
// The secrets that a function gets as environment variables although its settings have variables of
// these names.
[[nodiscard]] std::vector<std::string> hidden_variables(const Configuration& configuration,
                                                        const std::vector<Secret>& secrets);

}  // namespace lambda::function
