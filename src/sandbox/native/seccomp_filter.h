// The seccomp filter of every function, compiled once at lambda-spawn's start
// (system_call_rules.h).
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <linux/filter.h>
#include <vector>

namespace lambda::sandbox::native {

using SeccompFilter = std::vector<sock_filter>;

Result<SeccompFilter> compile_seccomp_filter();
// For the calling process and what it executes, for good. Needs no_new_privs.
Result<Done> install(const SeccompFilter& filter);

}  // namespace lambda::sandbox::native
