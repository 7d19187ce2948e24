// SpawnClient: lambdad's end of lambda-spawn, the privileged process that makes native sandboxes.
//
//   auto spawn = SpawnClient::launch(options);   // in main, as root, before there are threads
//   ... become an ordinary user, start loops ...
//   NativeDriver driver(*spawn, ...);
//
// Threads: launch() before any; request() from any loop; post() from any thread. None of them ever
// waits for lambda-spawn: what the socket does not take stands in a queue until a thread of this
// client ("spawn", from the first request on) can send it; it also reads the replies.
// Destroying the client ends lambda-spawn, and with it every sandbox; no request may be under way
// then.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "sandbox/native/spawn_protocol.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
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
  std::uint64_t memory_budget = 0;           // bytes, of all functions; 0: 90 % of the machine's
  std::uint64_t process_budget = 0;          // 0: 80 % of pid_max
  std::uint32_t zygote_forks = 64;           // of one zygote; 0: there are none
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
  // The cgroup whose limit is that of all sandboxes together; empty where lambda-spawn cannot work.
  [[nodiscard]] std::filesystem::path memory_cgroup() const;
  // How many sandboxes lambda-spawn can hold at once; 0 where it cannot work.
  [[nodiscard]] std::size_t sandbox_limit() const { return sandbox_limit_; }
  // Whether sandboxes can have a way out. Errors: unavailable, with what to do.
  [[nodiscard]] const Result<Done>& uplink() const { return uplink_; }
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

  // Sends it, with `descriptor` if there is one, and waits for the reply. Errors: what lambda-spawn
  // says; timeout (it has the request, and may still act on it); unavailable (it has not, and will
  // not: it is gone, or took no requests until the deadline).
  Task<Result<SpawnReply>> request(SpawnRequest request, UniqueFd descriptor,
                                   std::chrono::steady_clock::time_point deadline);
  // Sends it and does not care for the reply.
  void post(SpawnRequest request);

 private:
  struct Pending;
  struct Outgoing {
    SpawnRequest request;
    UniqueFd descriptor;
  };
  class Withdrawal;
  SpawnClient() = default;
  Result<Done> start_process(const SpawnOptions& options);
  Result<std::string> wait_hello();
  void start_thread();
  void converse();
  bool take_reply();
  std::uint32_t next_number();
  void enqueue(Outgoing outgoing);
  bool try_send(const Outgoing& outgoing);
  void send_queued();
  void send_from(std::deque<Outgoing>& queue);
  bool withdraw(std::uint32_t number);
  static void wake(const std::shared_ptr<Pending>& pending, Result<SpawnReply> reply);

  UniqueFd socket_;
  UniqueFd queued_;  // an eventfd: there is something in the queue
  pid_t pid_ = -1;
  std::filesystem::path data_directory_;
  std::filesystem::path runtimes_directory_;
  Result<std::string> description_{std::string()};
  std::size_t sandbox_limit_ = 0;
  Result<Done> uplink_ = fail(ErrorCode::unavailable, "lambda-spawn does not run");

  std::mutex mutex_;
  std::map<std::uint32_t, std::shared_ptr<Pending>> pending_;
  std::deque<Outgoing> urgent_;  // goes first: nothing that makes or ends a sandbox
  std::deque<Outgoing> outgoing_;
  std::uint32_t last_request_ = 0;
  bool gone_ = false;
  bool closing_ = false;
  std::function<void()> on_gone_;
  std::thread thread_;
};

}  // namespace lambda::sandbox::native
