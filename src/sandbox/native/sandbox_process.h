// Making one sandbox: clone, mounts, namespaces, credentials, filter, exec of lambda-init; in an
// order that matters. Used by lambda-spawn: root, one thread, blocking (a few milliseconds).
//
// The mount namespace is made while the process still belongs to the initial user namespace, and
// the user namespace last: root inside could otherwise remount the injected code writable and write
// the host's file.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <functional>
#include <linux/filter.h>
#include <string>
#include <sys/types.h>
#include <vector>

namespace lambda::sandbox::spawn {

struct ProcessPlan {
  int root = -1;  // a detached mount (read_only_tree): a base file system, or an image's
  int code = -1;  // another for /var/task, or -1
  int init = -1;  // the static init program
  std::uint64_t tmp_bytes = 0;
  uid_t outside_uid = 0;
  const std::vector<sock_filter>* filter = nullptr;
};

struct SandboxProcess {
  pid_t pid = -1;
  UniqueFd pidfd;
  UniqueFd control;  // the server's end of init's socket
};

// A copy of the mount that `directory` lies in, beginning there: read-only, without set-user-id and
// devices, attached nowhere. Only the namespace that a mount belongs to may copy it, so this is
// done before the clone.
Result<UniqueFd> read_only_tree(int directory);

// `attach` puts the new process, which waits meanwhile, into its control groups.
// Errors: sandbox_failed, naming the step.
Result<SandboxProcess> make_process(const ProcessPlan& plan,
                                    const std::function<Result<Done>(pid_t)>& attach);

}  // namespace lambda::sandbox::spawn
