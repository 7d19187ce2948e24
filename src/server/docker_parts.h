// Docker Engine's part of the object graph: where its socket is, the driver and the image builder
// over it. Made once at the start, blocking.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "sandbox/docker/docker_driver.h"
#include "sandbox/image/docker_image_builder.h"
#include "sandbox/runtime_catalog.h"
#include "server/configuration.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lambda::server {

// The key docker_host, else DOCKER_HOST, else the first there is of the usual places (the system's,
// a rootless Engine's). Errors: invalid: not a unix socket; unavailable: turned off by "none".
Result<std::filesystem::path> docker_socket(const std::string& configured,
                                            const std::function<const char*(const char*)>& get);

// The socket of the system's Engine: one that is started after this server makes it for the group
// "docker".
[[nodiscard]] bool is_system_socket(const std::filesystem::path& path);

inline constexpr std::chrono::seconds kAskDockerAgain{5};

struct DockerParts {
  std::shared_ptr<sandbox::docker::EngineClient> engine;
  std::unique_ptr<sandbox::docker::DockerDriver> driver;
  std::unique_ptr<sandbox::image::DockerImageBuilder> images;
  // Whether the Engine answered. If not, driver and images are there all the same: it may be
  // started later, and until then each use says what is missing.
  bool works = false;
  std::string text;  // "Docker Engine 20.10.24 at /run/docker.sock", or why not

  // `init_program`: lambda-init, opened before privileges were dropped. `groups`: whether root
  // started this server. `runtimes` and `users`, for the user and group database, outlive it.
  // Removes containers and images that an earlier server of this data directory left behind.
  static Result<DockerParts> make(const Configuration& configuration, const UniqueFd& init_program,
                                  sandbox::docker::Groups groups,
                                  const sandbox::RuntimeCatalog& runtimes,
                                  std::vector<std::string> used_images, BlockingPool& users);
  // Where the Engine answers only now: an earlier server's containers go, tried until that was done
  // (its images wait for the next start). On one loop.
  Task<void> remove_earlier_containers() const;
};

}  // namespace lambda::server
