// The network namespace between the sandboxes' cables and the way out. It forwards; the machine's
// own network does not have to. It belongs to a user namespace whose only user is an ordinary one
// of the machine: who carries packets out (slirp_process.h) has its rights there and no others.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <sys/types.h>

namespace lambda::sandbox::uplink {

inline constexpr char kWayOut[] = "wayout";  // the interface

struct RouterNamespace {
  UniqueFd user;
  UniqueFd network;
  std::uint32_t way_out = 0;  // the interface's number
};

// Makes it and moves this process's network there, while /proc and /dev are still the machine's.
// Errors: unavailable.
Result<RouterNamespace> enter_router_namespace(uid_t owner);

}  // namespace lambda::sandbox::uplink
