// What lambda-init (pid 1 of every sandbox) and InitChannel (the server) say to each other over one
// SOCK_SEQPACKET unix socket. Both ends run on one machine and are built together: plain structs in
// the machine's own byte order. Both check every length before they believe a word.
//
//   init -> server   hello + [listener of 127.0.0.1:9001, read end of the log pipe,
//                              and where init guards the memory: the cgroup's record of its peak]
//   server -> init   file(name, content)    any number, before start, one after the other
//   init -> server   written(errno or 0)
//   server -> init   stem               at most once, before start: the runtime's process starts,
//   and
//                                      waits at its descriptor 3 for its function
//   server -> init   start              after stem: what it has to know is handed to that process;
//                                      with when_filled set, once kFilledSignal has come, too
//   init -> server   started | exited (exec failed: text says why)
//   server -> init   connect(port)      any number, any time after hello
//   init -> server   connected + [socket] | connect_failed(errno)
//   server -> init   terminate          SIGTERM to the runtime's process
//   init -> server   exited(code or signal)
//
// When the socket closes, init ends, and with it (pid 1 of the namespace) every process inside.
#pragma once

#include <csignal>
#include <cstddef>
#include <cstdint>

namespace lambda::sandbox::init {

inline constexpr std::uint32_t kProtocolVersion = 5;
inline constexpr std::uint16_t kListenPort = 9001;
// From whoever filled a stem, once its code is in place: the function begins without the server's
// having been told first. Blocked before init is executed, so that none is lost.
inline constexpr int kFilledSignal = SIGUSR1;
// What is said first over the socket of a runtime that is forked (native/zygote_protocol.h), in
// place of a pid: somebody is about to enter the sandbox.
inline constexpr std::int32_t kComing = 0;

// Environment and arguments together; one packet. The kernel's default socket buffer holds 208 KiB.
inline constexpr std::size_t kMaxCommandBytes = 160 * 1024;
inline constexpr std::uint32_t kMaxArguments = 1024;
inline constexpr std::uint32_t kMaxVariables = 4096;

enum class CommandType : std::uint32_t {
  start = 1,
  connect = 2,
  terminate = 3,
  file = 4,
  stem = 5
};

struct Command {
  CommandType type{};
  std::uint32_t request = 0;      // connect, file: comes back in the report
  std::uint32_t port = 0;         // connect
  std::uint32_t open_files = 0;   // start: RLIMIT_NOFILE, lowered only; 0 leaves it
  std::uint32_t when_filled = 0;  // start: 1: not before kFilledSignal has come
  // start: the argument that is the bare word "bootstrap" of a provided runtime, to be replaced by
  // the first executable of kBootstraps; -1: none.
  std::int32_t bootstrap_argument = -1;
  std::uint32_t arguments = 0;  // start: how many
  std::uint32_t variables = 0;  // start: how many
  // start: then NUL-terminated strings: working directory, arguments, variables ("NAME=value").
  // stem: the same.
  // file: then its name, NUL-terminated, and its content up to the packet's end; it becomes a file
  // of /run/secrets with mode 0400.
};

// What a stem reads at its descriptor 3, once: this, then `bytes` of NUL-terminated strings, as
// they stand in a start command.
struct HandOver {
  std::uint32_t arguments = 0;
  std::uint32_t variables = 0;
  std::uint32_t bytes = 0;
};

enum class ReportType : std::uint32_t {
  hello = 1,           // number: kProtocolVersion; two or three descriptors
  started = 2,         // number: pid inside
  connected = 3,       // request; one descriptor, connected or about to be
  connect_failed = 4,  // request; number: errno
  exited = 5,          // number: exit status or -1; signal: or 0; text: why exec failed, or ""
  failed = 6,          // init cannot go on; number: errno; text: what it tried
  written = 7,         // request; number: 0 or errno
};

struct Report {
  ReportType type{};
  std::uint32_t request = 0;
  std::int32_t number = 0;
  std::int32_t signal = 0;
  std::uint32_t out_of_memory = 0;  // exited: something inside was killed for memory
  char text[240] = {};              // NUL-terminated
};

// Where files are written to; the driver has made it.
inline constexpr char kSecretDirectory[] = "/run/secrets";

// Where AWS looks for the program of a provided runtime, in its order, and its words when there is
// none.
inline constexpr const char* kBootstraps[] = {"/var/runtime/bootstrap", "/var/task/bootstrap",
                                              "/opt/bootstrap"};
inline constexpr char kNoBootstrap[] =
    "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]";

}  // namespace lambda::sandbox::init
