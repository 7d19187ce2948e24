// SpawnClient: lambdad's side of the socket to lambda-spawn.
// launch() forks and execs, so it must be called before there are threads and before privileges are
// dropped. Requests come from any loop; one reader thread takes the answers and wakes the asking
// coroutine on its own loop.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "sandbox/native/spawn_protocol.h"
#include "sandbox/native/spawn_wire.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <sys/types.h>
#include <thread>
#include <vector>

namespace lambda::sandbox {

class SpawnClient {
 public:
  struct Options {
    std::filesystem::path program;  // lambda-spawn
    std::filesystem::path init;     // lambda-init
    std::filesystem::path data_directory;
    std::filesystem::path runtimes_directory;
    std::string server_id;
  };
  // Errors: unavailable (not root, a program missing). That it works is known by the first answer.
  static Result<std::unique_ptr<SpawnClient>> launch(const Options& options);
  ~SpawnClient();
  SpawnClient(const SpawnClient&) = delete;
  SpawnClient& operator=(const SpawnClient&) = delete;

  // Begins to read answers; after privileges were dropped.
  void start();
  // Answers no more: lambda-spawn ends every sandbox, removes what it made, and exits. Blocking.
  void shut_down();

  struct Answer {
    std::string text;
    std::vector<UniqueFd> descriptors;
  };
  // Sends operation and fields. Errors: lambda-spawn's own, unavailable when it is gone.
  Task<Result<Answer>> ask(spawn::Operation operation, std::function<void(spawn::Encoder&)> fields);
  // Called on the reader thread when a sandbox was ended for its memory.
  void on_over_memory(std::function<void(const std::string& id)> listener);

 private:
  struct Waiting;
  SpawnClient(UniqueFd socket, pid_t pid);
  void read_answers();

  UniqueFd socket_;
  pid_t pid_;
  std::thread reader_;
  std::mutex mutex_;
  std::uint32_t last_number_ = 0;
  std::map<std::uint32_t, std::shared_ptr<Waiting>> waiting_;
  std::function<void(const std::string&)> over_memory_;
  bool gone_ = false;
};

}  // namespace lambda::sandbox
