// What lambdad (SpawnClient) and lambda-spawn say to each other over one SOCK_SEQPACKET socketpair.
// lambda-spawn is root and believes nothing: every field is checked (spawn_request.cc), and paths
// are relative to the two directories it was given at its start.
//
//   spawn -> lambdad   hello: status, text (what it found, or why it cannot work)
//   lambdad -> spawn   request (start carries one descriptor: the control socket's end for init)
//   spawn -> lambdad   reply, in any order, by request number; a notice at any time
//
// When the socket closes, lambda-spawn kills every sandbox, removes every cgroup, and ends.
#pragma once

#include "base/egress_rules.h"

#include <cstddef>
#include <cstdint>

namespace lambda::sandbox::native {

inline constexpr std::uint32_t kSpawnProtocolVersion = 7;
inline constexpr int kSpawnSocket = 3;  // the descriptor that lambda-spawn finds its socket at

enum class Operation : std::uint32_t {
  hello = 1,   // reply only
  start = 2,   // make a sandbox; answered when lambda-init runs in it
  stop = 3,    // kill everything inside; answered when nothing is left
  freeze = 4,  // answered when every process inside stands still
  thaw = 5,
  status = 6,  // out of memory? alive?
  // A stem becomes a function's: its limits, its code, its secrets; then its init gets
  // kFilledSignal. Once; whatever fails, it is good for nothing any more.
  fill = 7,
  notice = 8,     // reply only, to no request: text is for lambdad's log
  limit_cpu = 9,  // at most cpu_thousandths of a CPU from now on
};

enum class RootKind : std::uint32_t {
  runtime = 1,  // root: a name; <runtimes directory>/<name>/rootfs
  image = 2,    // root: a path below the data directory
};

// What a sandbox may reach. A start that names no way out makes a sandbox with loopback alone.
enum class Egress : std::uint32_t {
  none = 0,
  internet = 1,
  networks = 2,
};

struct SpawnRequest {
  Operation operation{};
  std::uint32_t request = 0;
  char id[48] = {};  // of the sandbox: [a-z0-9-]{1,40}

  // start: 1: a stem, whose function is not known yet; task and secrets come with fill
  std::uint32_t stem = 0;
  // start: 1: its runtime is one that a zygote may fork (zygotes.h); init gets it instead of
  // starting one, where a zygote does.
  std::uint32_t fork = 0;
  RootKind root_kind = RootKind::runtime;  // start
  // start and fill
  std::uint32_t processes = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t tmp_bytes = 0;
  std::uint64_t secret_bytes = 0;     // size of /run/secrets; 0: there is none
  std::uint32_t secret_files = 0;     // how many it has room for
  std::uint32_t cpu_thousandths = 0;  // limit_cpu
  char root[512] = {};                // start
  char task[512] = {};  // path below the data directory, mounted at /var/task; "": nothing
  // start and fill. A stem's start says whether it gets a cable; nothing passes until its fill.
  Egress egress = Egress::none;
  std::uint32_t network_count = 0;
  NetworkPrefix networks[kMostNetworks] = {};
};

struct SpawnReply {
  Operation operation{};
  std::uint32_t request = 0;
  std::uint32_t failed = 0;         // 1: text says why
  std::uint32_t out_of_memory = 0;  // status
  std::uint32_t alive = 0;          // status
  std::uint32_t error_code = 0;     // an ErrorCode, where failed
  std::uint32_t sandboxes = 0;      // hello: how many can live at once
  std::uint32_t uplink = 0;         // hello: 1: sandboxes can have a way out
  // start, fill: microseconds that its steps took, in their order
  std::uint32_t cgroup_time = 0;
  std::uint32_t clone_time = 0;
  std::uint32_t mount_time = 0;  // start: from there until lambda-init was executed
  char text[1000] = {};          // start: the memory cgroup's directory; otherwise for people
  char uplink_text[400] = {};    // hello: why they cannot
};

}  // namespace lambda::sandbox::native
