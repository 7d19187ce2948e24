// /run of a sandbox whose function gets secrets as files: a tmpfs with what its root file system
// has there, read-only, and in it /run/secrets, a tmpfs of the function's own. Base file systems
// are shared and images are as they are: neither has a mount point for it.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <cstdint>
#include <sys/types.h>

namespace lambda::sandbox::native {

// Once the root is the sandbox's own and /run is still its. `owner` is the sandbox's user, as seen
// from outside. Errors: sandbox_failed and the system's, with the step.
Result<Done> place_run_directory(std::uint32_t files, std::uint64_t bytes, uid_t owner);

}  // namespace lambda::sandbox::native
