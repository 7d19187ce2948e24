// What lambda-spawn (zygotes.cc) and a zygote (zygote_module.cc) say to each other over one
// SOCK_SEQPACKET socketpair, which the zygote has as descriptor 3 and which no forked process
// keeps. Both are built together.
//
//   spawn -> zygote    the seccomp filter of functions, once, before the zygote is executed
//   zygote -> spawn    answer(0): it is ready to fork
//   spawn -> zygote    order + [pidfd of the sandbox's pid 1, the runtime's socket to it,
//                               the v1 cgroups' task files, the v2 cgroup where there is one]
//   zygote -> spawn    answer(number): forked, or not, and why
//
// And over the runtime's socket, of which pid 1 has the other end:
//
//   zygote -> pid 1    kComing, before anybody enters. Where pid 1 does not wait any more, that
//                      cannot be sent, and nobody enters
//   pid 1 -> runtime   one byte + [/dev/null, the log pipe]
//   runtime -> pid 1   its pid inside: from now on pid 1 takes it for the one that it started, and
//                      the socket is that of a stem (init/protocol.h)
//
// When its socket closes a zygote ends; what it has forked goes on.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lambda::sandbox::native {

inline constexpr int kZygoteSocket = 3;
inline constexpr std::size_t kMostFilterBytes = 64 * 1024;
inline constexpr std::uint32_t kMostTaskFiles = 8;

struct ZygoteOrder {
  std::uint32_t number = 0;      // of the sandbox; never 0
  std::uint32_t task_files = 0;  // how many
  std::uint32_t directory = 0;   // 1: the v2 cgroup comes last
};

struct ZygoteAnswer {
  std::uint32_t number = 0;
  std::int32_t error = 0;  // errno; 0: forked
  char text[120] = {};     // what failed, NUL-terminated
};

}  // namespace lambda::sandbox::native
