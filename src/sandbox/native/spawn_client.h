// SpawnClient: lambdad's end of lambda-spawn, the privileged process that makes native sandboxes.
//
//   auto spawn = SpawnClient::launch(options);   // in main, as root, before there are threads
//   ... become an ordinary user, start loops ...
//   NativeDriver driver(*spawn, ...);
//
// Threads: launch() before any; request() from any loop; post() from any thread. A reader thread
// begins with the first request. Destroying it ends lambda-spawn, and with it every sandbox; no
// request may be under way then.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "sandbox/native/spawn_protocol.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <sys/types.h>
#include <thread>

namespace lambda::sandbox::native {

struct SpawnOptions {
  // Where lambda-spawn and lambda-init lie; empty: beside the running program.
  std::filesystem::path program_directory;
  std::filesystem::path data_directory;      // exists; code and image roots are below it
  std::filesystem::path runtimes_directory;  // base file systems; may be missing
  std::uint64_t memory_budget = 0;           // of all functions; 0: 90 % of the machine's
  std::uint64_t process_budget = 0;          // 0: 80 % of pid_max
};

class SpawnClient {
 public:
  // Always makes a client; one whose lambda-spawn cannot work says why in description(), and
  // refuses every request with the same words. Takes tens of milliseconds; up to 10 s while the
  // lambda-spawn of a killed server clears up.
  static std::unique_ptr<SpawnClient> launch(const SpawnOptions& options);
  ~SpawnClient();
  SpawnClient(const SpawnClient&) = delete;
  SpawnClient& operator=(const SpawnClient&) = delete;

  // "cgroup v1 at /sys/fs/cgroup/memory/lambda-..., frozen through v2". Errors: unavailable, with
  // what to do.
  [[nodiscard]] Result<std::string> description() const;
  // How many sandboxes lambda-spawn can hold at once; 0 where it cannot work.
  [[nodiscard]] std::size_t sandbox_limit() const { return sandbox_limit_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  // As given to lambda-spawn, without symlinks.
  [[nodiscard]] const std::filesystem::path& data_directory() const { return data_directory_; }
  [[nodiscard]] const std::filesystem::path& runtimes_directory() const {
    return runtimes_directory_;
  }

  // Calls `action`, once and on a thread of this client, when lambda-spawn ends although this
  // client is there: every native sandbox has ended with it, and none can be made again. Before the
  // first request.
  void on_gone(std::function<void()> action);

  // Sends it (with `descriptor`, if not -1; it stays the caller's) and waits for the reply.
  // Errors: what lambda-spawn says; timeout; unavailable (lambda-spawn is gone).
  Task<Result<SpawnReply>> request(SpawnRequest request, int descriptor,
                                   std::chrono::steady_clock::time_point deadline);
  // Sends it and does not care for the reply.
  void post(SpawnRequest request);

 private:
  struct Pending;
  SpawnClient() = default;
  Result<Done> start_process(const SpawnOptions& options);
  Result<std::string> wait_hello();
  Result<Done> send(const SpawnRequest& request, int descriptor);
  void read_replies();
  void start_reader();
  static void wake(const std::shared_ptr<Pending>& pending, Result<SpawnReply> reply);

  UniqueFd socket_;
  pid_t pid_ = -1;
  std::filesystem::path data_directory_;
  std::filesystem::path runtimes_directory_;
  Result<std::string> description_{std::string()};
  std::size_t sandbox_limit_ = 0;

  std::mutex mutex_;
  std::map<std::uint32_t, std::shared_ptr<Pending>> pending_;
  std::uint32_t last_request_ = 0;
  bool gone_ = false;
  bool closing_ = false;
  std::function<void()> on_gone_;
  std::thread reader_;
};

}  // namespace lambda::sandbox::native
