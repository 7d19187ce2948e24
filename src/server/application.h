// Application: lambdad's object graph, from the database up to the listening sockets. Built on the
// main thread after privileges were dropped; its parts are used on the loops; torn down in the
// reverse order.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "sandbox/docker/engine_client.h"
#include "sandbox/native/spawn_client.h"
#include "server/configuration.h"
#include "server/listeners.h"

#include <memory>
#include <string>

namespace lambda::server {

class Application {
 public:
  // `spawn` is null where there is no native driver. `init_program` is lambda-init, if it is there.
  // `groups`: where this process has them from.
  static Result<std::unique_ptr<Application>> build(
      Configuration configuration, Listeners listeners,
      std::unique_ptr<sandbox::native::SpawnClient> spawn, const UniqueFd& init_program,
      sandbox::docker::Groups groups);
  ~Application();
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  // Serves from now on, and writes server.json.
  Result<Done> start();
  // Ends listening, lets running calls end for the configured time, ends every instance. Blocking.
  void shut_down();

 private:
  struct Parts;
  explicit Application(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace lambda::server
