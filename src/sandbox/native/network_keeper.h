// The keeper: a process beside lambda-spawn ("lambda-keeper") that does what takes long, so that
// no start waits for it: network namespaces are made and renewed in it, and what an ended sandbox
// held is closed in it, which is when the kernel frees it. One thread, one thing after the other;
// it ends with lambda-spawn. NetworkPool (network_pool.h) is its only client.
//
//   pool -> keeper   make N                       a network namespace, to be called N
//                    renew N                      a sandbox had it; all its processes are gone
//                    forget N
//                    close, with a descriptor     (a sandbox's /tmp)
//   keeper -> pool   made N, with a descriptor    it may be entered by the next sandbox
//                    renewed N, with a descriptor the same
//                    lost N, with the reason      it is not to be used again
//                    failed N, with the reason    it could not be made
//                    closed N
//
// All namespaces belong to the machine's user namespace, so nobody in a sandbox has capabilities
// over them.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <optional>
#include <sys/types.h>
#include <utility>

namespace lambda::sandbox::native {

enum class KeeperWord : std::uint32_t {
  make = 1,
  renew,
  forget,
  close,
  made,
  renewed,
  lost,
  failed,
  closed
};

struct KeeperMessage {
  KeeperWord word{};
  std::uint32_t number = 0;
  char text[160] = {};  // lost, failed: why
};

struct Keeper {
  UniqueFd socket;  // SOCK_SEQPACKET, not blocking
  pid_t pid = -1;
};

// Forks it off. The caller has one thread.
Result<Keeper> start_keeper();

// False: the socket is full, or nobody reads there any more.
bool send_to(const UniqueFd& socket, const KeeperMessage& message, int descriptor = -1);
// Nothing: none is there. `gone`, where given, is set when the other end is closed.
std::optional<std::pair<KeeperMessage, UniqueFd>> receive_from(const UniqueFd& socket, bool& gone);

}  // namespace lambda::sandbox::native
