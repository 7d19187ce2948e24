// NativeDriver: sandboxes of Linux namespaces, control groups and seccomp, made by lambda-spawn.
// Any loop; a sandbox belongs to the loop that started it.
#pragma once

#include "sandbox/native/spawn_client.h"
#include "sandbox/sandbox.h"

#include <memory>
#include <string>

namespace lambda::sandbox {

class NativeDriver final : public Driver {
 public:
  // `spawn` outlives the driver and every sandbox.
  explicit NativeDriver(SpawnClient& spawn);

  [[nodiscard]] std::string_view name() const override { return "native"; }
  Task<Result<std::unique_ptr<Sandbox>>> start(
      SandboxSpec spec, std::chrono::steady_clock::time_point deadline) override;
  Task<Result<std::string>> probe() override;
  // lambda-spawn does it as it starts.
  Task<Result<Done>> reap_leftovers() override;

 private:
  struct Ended;
  SpawnClient& spawn_;
  std::shared_ptr<Ended> ended_for_memory_;
};

}  // namespace lambda::sandbox
