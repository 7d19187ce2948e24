// What lambdad asks of lambda-spawn, and its answers: one SOCK_SEQPACKET message each
// (sandbox/init/protocol.h has the encoding). Typed operations alone: lambdad names runtimes,
// digests and sizes, never paths, mounts or commands.
//
//   create   id, runtime name or image digest, code digest or "", memory, /tmp, processes
//            -> 3 descriptors: init's control socket, the file with the memory peak, the file with
//            the OOM counter
//   destroy  id    -> once no process, mount or cgroup of it is left
//   freeze, thaw  id
//   probe          -> text: how limits are set on this machine
//   (event) over_memory  id: it was ended because its own memory passed its limit
//
// Every request carries a number, which its answer repeats; events carry 0.
#pragma once

#include <cstdint>

namespace lambda::sandbox::spawn {

enum class Operation : std::uint32_t { create = 1, destroy = 2, freeze = 3, thaw = 4, probe = 5 };
enum class Event : std::uint32_t { over_memory = 1 };

inline constexpr std::size_t kMaxMessage = 16 * 1024;

// Ids outside: one for each sandbox, above everything that distributions and container engines give
// out.
inline constexpr std::uint32_t kFirstUid = 1'900'000'000;
inline constexpr std::uint32_t kUids = 1'000'000;
// Ids inside: AWS's own sandbox user.
inline constexpr std::uint32_t kInsideUid = 993;
inline constexpr std::uint32_t kInsideGid = 990;

}  // namespace lambda::sandbox::spawn
