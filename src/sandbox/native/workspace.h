// lambda-spawn's own mount namespace: a small tmpfs root that holds nothing but what sandboxes are
// made from. Every sandbox begins as a copy of it, so it must stay small (a copy of a host's
// thousand mounts costs 2 ms), and what is not in it cannot end up in a sandbox.
//
//   /data       the server's data directory (code packages, image roots)
//   /runtimes   base file systems
//   /dev        the /dev of every sandbox, read-only
//   /files      small files that are mounted over others
//   /root       where a sandbox's root is put before pivot_root
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "sandbox/native/walls.h"

#include <string>

namespace lambda::sandbox::native {

inline constexpr char kDataMount[] = "/data";
inline constexpr char kRuntimesMount[] = "/runtimes";
inline constexpr char kDeviceTemplate[] = "/dev";
inline constexpr char kHostsFile[] = "/files/hosts";
inline constexpr char kResolverFile[] = "/files/resolv.conf";
inline constexpr char kRootMount[] = "/root";

// Moves this process into it, and into a network namespace of its own unless it has one already.
// After this, paths of the host mean nothing. A runtimes directory that does not exist is left out.
// The descriptor is of the new mount namespace, for coming back to it. Errors: unavailable.
Result<UniqueFd> enter_workspace(const std::string& data_directory,
                                 const std::string& runtimes_directory, const Walls& walls,
                                 bool own_network);

}  // namespace lambda::sandbox::native
