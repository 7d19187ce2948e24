// Which cgroup hierarchies this machine has, and where in them our own parent cgroup may stand.
// Blocking, at lambda-spawn's start.
#pragma once

#include "base/result.h"
#include "sandbox/native/cgroups.h"

#include <vector>

namespace lambda::sandbox::native {

// The hierarchies to use, with `base` opened and ready to hold our parent cgroup. On pure v2 this
// moves lambda-spawn and lambdad into a leaf of their own cgroup where it was delegated to them.
// Errors: unavailable, with what is missing.
Result<std::vector<Hierarchy>> find_hierarchies();

}  // namespace lambda::sandbox::native
