// The child's side of making a sandbox: from clone3 to the exec of lambda-init, in the order that
// keeps it tight (sandbox_setup.cc). Runs in a process of its own with one thread.
#pragma once

#include "sandbox/native/privileges.h"
#include "sandbox/native/seccomp_filter.h"
#include "sandbox/native/walls.h"
#include "sandbox/uplink/link_pair.h"

#include <cstdint>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/types.h>
#include <vector>

namespace lambda::sandbox::native {

// All descriptors belong to lambda-spawn; the child uses copies.
struct SandboxPlan {
  std::vector<int> cgroup_entries;  // each to write "0" to
  std::string root_base;            // kDataMount or kRuntimesMount
  std::string root;                 // below it
  std::string task;                 // below kDataMount; "": none
  int tmp = -1;                     // detached tmpfs for /tmp
  int network = -1;                // a prepared network namespace; -1: it was cloned into a new one
  std::uint32_t secret_files = 0;  // 0: no /run/secrets
  std::uint64_t secret_bytes = 0;
  int control = -1;  // init's end of the control socket
  int init_program = -1;
  int runtime = -1;  // init's end of the socket to a runtime that is forked (zygotes.h), if one is
  int status = -1;   // close-on-exec; gets the reason if something fails
  uid_t outside_id = 0;
  std::optional<uplink::Cable> cable;  // none: loopback alone
  uplink::NetlinkSocket* router = nullptr;
  const SeccompFilter* filter = nullptr;
  rlimit open_files{};
  Walls walls;
};

[[noreturn]] void set_up_and_run_init(const SandboxPlan& plan);

}  // namespace lambda::sandbox::native
