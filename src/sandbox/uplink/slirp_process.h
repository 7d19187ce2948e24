// Who carries packets from the router's namespace to the machine's network: Debian's slirp4netns, a
// TCP/IP stack in user mode. What it sends are connections of a user of its own, like any
// program's: the machine forwards nothing, and no setting, interface or firewall rule of the
// machine's is touched. It is started in its own user, mount and (the router's) network namespaces,
// gives up what is left of its rights, and dies with lambda-spawn.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "sandbox/uplink/router_namespace.h"

#include <string>

namespace lambda::sandbox::uplink {

// Where it is on this machine; "" where it is not.
[[nodiscard]] std::string find_slirp();

// The machine's own namespaces, opened before lambda-spawn leaves them.
struct MachineNamespaces {
  UniqueFd mount;
  UniqueFd network;

  static Result<MachineNamespaces> open();
};

struct SlirpProcess {
  UniqueFd pidfd;
  UniqueFd lifeline;  // it ends when this is closed
};

Result<SlirpProcess> start_slirp(const std::string& program, const MachineNamespaces& machine,
                                 const RouterNamespace& router);

}  // namespace lambda::sandbox::uplink
