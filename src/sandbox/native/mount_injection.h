// What is mounted into a sandbox that runs already: a function's code and its secrets, into a stem.
// Moves the calling process into the sandbox's mount namespace and back: a process with one thread.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <string>
#include <sys/types.h>

namespace lambda::sandbox::native {

struct Injection {
  std::string task;                // below kDataMount, for /var/task; "": none
  std::uint32_t secret_files = 0;  // 0: no /run/secrets
  std::uint64_t secret_bytes = 0;
  uid_t owner = 0;  // of the secrets
};

// `pid_one`: the pidfd of the sandbox's first process, whose function has not begun. `workspace`:
// where this process belongs. One that could not come back ends: nothing it would do would be
// right. Errors: sandbox_failed; the sandbox is good for nothing then.
Result<Done> inject(const UniqueFd& pid_one, const UniqueFd& workspace, const Injection& injection);

}  // namespace lambda::sandbox::native
