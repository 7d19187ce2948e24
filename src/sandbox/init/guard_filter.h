// A seccomp filter that keeps the function's hands off the lambda-init that guards its memory
// (Docker driver). Both have one uid, and the kernel lets a process set the scheduling, processors
// and resource limits of every process of its uid, whatever PR_SET_DUMPABLE says; Docker's own
// profile allows those calls too. A guard that never runs guards nothing. Allocates nothing.
#pragma once

#include <sys/types.h>

namespace lambda::sandbox::init {

// For the calling process and all that it executes and makes, for good. Refused with EPERM:
// sched_setscheduler, sched_setparam, sched_setattr, sched_setaffinity, prlimit64, setpriority and
// ioprio_set on `guard`, or on all processes of a user. What other processor modes (32 bit, x32)
// call them by is not known here: all their calls are refused with ENOSYS. False, with errno: there
// is no filter.
bool keep_off(pid_t guard);

}  // namespace lambda::sandbox::init
