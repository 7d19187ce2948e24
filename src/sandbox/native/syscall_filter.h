// The seccomp filter of a sandbox, made once at lambda-spawn's start: a list of what is allowed
// (syscall_table.h); everything else does not exist (ENOSYS), so that programs take their
// fallbacks.
#pragma once

#include "base/result.h"

#include <linux/filter.h>
#include <vector>

namespace lambda::sandbox::spawn {

Result<std::vector<sock_filter>> make_syscall_filter();

}  // namespace lambda::sandbox::spawn
