// InitChannel: the server's side of lambda-init's control socket, the same for both drivers.
// What comes from inside is checked: the function shares the init's uid.
// Threads: one loop. The reading coroutine holds the shared state; destroying the channel closes
// the socket, at which init ends everything inside.
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
#include <vector>

namespace lambda::sandbox {

class InitChannel {
 public:
  InitChannel(LoopExecutor executor, UniqueFd control);
  ~InitChannel();
  InitChannel(const InitChannel&) = delete;
  InitChannel& operator=(const InitChannel&) = delete;

  // Waits until init has greeted, then starts the program. Errors: timeout, sandbox_failed (init
  // ended before). A program that cannot be executed is no error here: wait_exit() tells.
  Task<Result<Done>> start(const SandboxSpec& spec, std::chrono::steady_clock::time_point deadline);

  UniqueFd take_runtime_listener();
  UniqueFd take_log();
  // Errors: unavailable (nobody listens), sandbox_failed (init is gone).
  Task<Result<UniqueFd>> connect(std::uint16_t port);
  void terminate();
  // The runtime's end, or the channel's (then `detail` says that the sandbox died).
  Task<ExitStatus> wait_exit();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace lambda::sandbox
