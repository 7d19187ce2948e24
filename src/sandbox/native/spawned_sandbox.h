// A sandbox as lambda-spawn knows it, and what is done to one in passing. For SpawnServer's own
// sources: its loop (spawn_server.cc), how sandboxes begin (spawn_starts.cc) and end
// (spawn_ends.cc).
#pragma once

#include "sandbox/native/spawn_server.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>

namespace lambda::sandbox::native {

struct SpawnServer::Sandbox {
  std::string id;
  std::uint32_t number = 0;
  State state = State::starting;
  CgroupLimits limits;
  Cgroup cgroup;
  uid_t uid = 0;
  pid_t pid = -1;
  UniqueFd pidfd;
  UniqueFd status;  // read end; ends when lambda-init was executed
  UniqueFd tmp;     // keeps the sandbox's /tmp in sight
  // Where a zygote will fork its runtime, until it was told to: the runtime's end of its socket to
  // init, and which zygote.
  UniqueFd runtime;
  std::string runtime_name;
  std::uint32_t network = 0;  // of the pool; 0: one of its own, which ends with it
  bool closing_tmp = false;   // the keeper does
  std::optional<uplink::Cable> cable;
  EgressRule egress;  // what it gets once it runs; a stem's comes with its function
  std::uint32_t start_request = 0;
  std::vector<std::uint32_t> stop_requests;
  bool stem = false;
  bool frozen = false;
  bool cpu_is_limited = false;
  bool over_memory = false;
  std::string setup_failure;
  Clock::time_point removal_began;
  // Of the start.
  std::uint32_t cgroup_time = 0;  // microseconds
  std::uint32_t clone_time = 0;
  Clock::time_point cloned;
};

// With the number of a sandbox: the tag of events of its status pipe. That of its end is the number
// alone; 0 is the socket's.
inline constexpr std::uint64_t kStatusBit = 1ull << 32;
// How often running sandboxes are compared with their memory limit.
inline constexpr std::chrono::milliseconds kLookEvery{20};

template <std::size_t Size>
void copy_text(char (&to)[Size], const std::string& from) {
  const auto length = std::min(from.size(), Size - 1);
  std::memcpy(to, from.data(), length);
  to[length] = '\0';
}

inline void signal_through(const UniqueFd& pidfd, int signal) {
  ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0);
}

inline void kill_through(const UniqueFd& pidfd) {
  signal_through(pidfd, SIGKILL);
}

inline std::uint32_t microseconds_since(std::chrono::steady_clock::time_point begin) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                        std::chrono::steady_clock::now() - begin)
                                        .count());
}

}  // namespace lambda::sandbox::native
