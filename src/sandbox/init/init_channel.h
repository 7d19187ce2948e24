// InitChannel: the server's side of the control socket of one sandbox's lambda-init (protocol.h).
//
//   InitChannel channel(executor, std::move(socket));   // socketpair end, or accepted
//   auto hello = co_await channel.wait_hello(deadline); // listener and log pipe
//   co_await channel.start(request, deadline);
//   co_await channel.connect(8080, deadline);           // any number, at any time
//   co_await channel.wait_exit();
//
// What comes in is checked: init shares its uid with the function. A message that breaks the
// protocol closes the channel, which ends the sandbox.
// Threads: one loop, that of `executor`. Destroying it closes the socket; whoever waits is told
// that the sandbox ended.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "sandbox/sandbox.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lambda::sandbox {

struct InitHello {
  UniqueFd listener;  // listens on 127.0.0.1:9001 inside
  UniqueFd log;       // read end, non-blocking
  // Files of its cgroup, where init guards the memory; else empty.
  UniqueFd memory_peak;
  UniqueFd memory_used;
};

struct StartRequest {
  // argv[0] is looked up in PATH of `environment`. The bare word "bootstrap" as argv[0], or right
  // behind $AWS_LAMBDA_EXEC_WRAPPER, becomes the first executable of /var/runtime/bootstrap,
  // /var/task/bootstrap, /opt/bootstrap.
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;
  std::map<std::string, std::string> files;  // of /run/secrets, by name; written first
  std::string working_directory = "/";
  unsigned open_files = 0;  // RLIMIT_NOFILE, only ever lowered; 0 leaves it

  StartRequest() = default;
  // The parts of a spec that concern init.
  explicit StartRequest(const SandboxSpec& spec)
      : argv(spec.argv),
        environment(spec.environment),
        files(spec.secret_files),
        working_directory(spec.working_directory),
        open_files(spec.open_files) {}
};

class InitChannel {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Owns the socket (SOCK_SEQPACKET) and reads from it from now on. Where the loop cannot watch it,
  // the channel is closed, and wait_hello() says why.
  InitChannel(LoopExecutor executor, UniqueFd socket);
  ~InitChannel();
  InitChannel(const InitChannel&) = delete;
  InitChannel& operator=(const InitChannel&) = delete;

  // Both ends of a new control socket: first for InitChannel, second for `lambda-init --fd`.
  static Result<std::pair<UniqueFd, UniqueFd>> make_pair();

  // Of a sandbox whose function is not known yet, before there is a channel: starts the runtime's
  // process, which waits for what start() will say; `request` says what it can know before. Does
  // not wait. What comes of it shows in wait_hello() and start().
  static Result<Done> begin_stem(const UniqueFd& socket, const StartRequest& request);

  // Once. Errors: timeout; sandbox_failed (init ended, or could not listen: its own words).
  Task<Result<InitHello>> wait_hello(TimePoint deadline);
  // Once, after wait_hello(). Resolves when the process runs or could not be executed; the latter
  // is no error here but an exit: wait_exit() says code 127 or 126 and why in `detail`.
  // Errors: invalid (too much environment, NUL in it), timeout, sandbox_failed (also a file that
  // cannot be written).
  Task<Result<Done>> start(StartRequest request, TimePoint deadline);
  // Instead of start(), for a stem: does not wait; the function begins when init has got
  // kFilledSignal, which may be before and after this. Without files. Then wait_started().
  Result<Done> start_when_filled(const StartRequest& request);
  Task<Result<Done>> wait_started(TimePoint deadline);
  // Errors: unavailable (nobody listens), timeout, sandbox_failed (the sandbox is gone).
  Task<Result<UniqueFd>> connect(std::uint16_t port, TimePoint deadline);
  void terminate();
  // Resolves when the runtime's process ended, or with signal 9 when the whole sandbox did.
  Task<ExitStatus> wait_exit();
  [[nodiscard]] bool exited() const;
  // Ends init and every process inside.
  void close();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace lambda::sandbox
