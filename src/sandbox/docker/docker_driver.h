// DockerDriver: sandboxes as containers of Docker Engine, with lambda-init as their entry point.
// The contract is in sandbox/sandbox.h. Threads: start() and everything of its Sandbox on one loop;
// the driver may be shared by all loops and must outlive its starts; its sandboxes hold what they
// need.
//
// A container knows no namespace before its start that could be entered, so all goes through init's
// channel: one unix socket in a directory that is mounted into it (control_socket.h).
#pragma once

#include "base/unique_fd.h"
#include "sandbox/docker/engine_client.h"
#include "sandbox/docker/server_mark.h"
#include "sandbox/sandbox.h"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::sandbox::docker {

// The image that holds a runtime's base file system: "python3.11" -> "lambda/python:3.11".
using RuntimeImages = std::function<Result<std::string>(std::string_view runtime)>;

class DockerDriver final : public Driver {
 public:
  // Puts lambda-init (read from `init_program`) where the Engine finds it: into the mark's
  // directory. Blocking.
  static Result<std::unique_ptr<DockerDriver>> create(std::shared_ptr<EngineClient> engine,
                                                      ServerMark mark, const UniqueFd& init_program,
                                                      RuntimeImages runtime_images);

  [[nodiscard]] std::string_view name() const override { return "docker"; }
  Task<Result<std::unique_ptr<Sandbox>>> start(
      SandboxSpec spec, std::chrono::steady_clock::time_point deadline) override;
  Task<Result<std::string>> probe() override;
  // Removes what this server left behind when it was killed: containers, and what was mounted for
  // their starts. `all`: before the first start. `earlier`: while this run may have started some
  // already, which stay.
  enum class Leftovers { all, earlier };
  Task<Result<Done>> reap_leftovers(Leftovers which = Leftovers::all);

 private:
  DockerDriver(std::shared_ptr<EngineClient> engine, ServerMark mark, RuntimeImages runtime_images);
  Task<Result<std::vector<std::string>>> volumes_of(std::string image_id,
                                                    std::chrono::steady_clock::time_point deadline);

  std::shared_ptr<EngineClient> engine_;
  ServerMark mark_;
  RuntimeImages runtime_images_;
  std::mutex mutex_;
  std::map<std::string, std::vector<std::string>, std::less<>> volumes_;  // by image id
};

}  // namespace lambda::sandbox::docker
