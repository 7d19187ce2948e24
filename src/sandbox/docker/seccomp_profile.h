// The rules for a function's system calls (system_call_rules.h) as Docker Engine wants them.
// Pure; any thread.
#pragma once

#include <string>

namespace lambda::sandbox::docker {

// What stands behind "seccomp=" among a container's security options; the same each time.
const std::string& seccomp_profile();

}  // namespace lambda::sandbox::docker
