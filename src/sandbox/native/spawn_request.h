// What a request must look like before lambda-spawn acts on it. Pure.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "sandbox/native/spawn_protocol.h"

#include <string_view>

namespace lambda::sandbox::native {

// [a-z0-9-]{1,40}, and not a name that cgroup files may have.
[[nodiscard]] bool is_sandbox_id(std::string_view id);
// Relative, no empty or dot component, no control characters.
[[nodiscard]] bool is_clean_path(std::string_view path);
// Of one that was checked.
[[nodiscard]] EgressRule egress_of(const SpawnRequest& request);
// Errors: invalid, naming the field.
Result<Done> check_request(const SpawnRequest& request);

}  // namespace lambda::sandbox::native
