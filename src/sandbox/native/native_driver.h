// NativeDriver: sandboxes from Linux namespaces, cgroups and seccomp, made by lambda-spawn.
// The contract is in sandbox/sandbox.h. Threads: start() and everything of its Sandbox on one loop;
// the driver may be shared by all loops. It must outlive its sandboxes, and the SpawnClient both.
#pragma once

#include "sandbox/native/spawn_client.h"
#include "sandbox/sandbox.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>

namespace lambda::sandbox::native {

// Where the exported file system of an image lies (below the data directory), if there is one.
using ImageRoots = std::function<std::optional<std::filesystem::path>(std::string_view image_id)>;

class NativeDriver final : public Driver {
 public:
  explicit NativeDriver(SpawnClient& spawn, ImageRoots image_roots = {});

  [[nodiscard]] std::string_view name() const override { return "native"; }
  Task<Result<std::unique_ptr<Sandbox>>> start(
      SandboxSpec spec, std::chrono::steady_clock::time_point deadline) override;
  Task<Result<std::string>> probe() override;

 private:
  Result<SpawnRequest> start_request(const SandboxSpec& spec) const;

  SpawnClient& spawn_;
  ImageRoots image_roots_;
};

}  // namespace lambda::sandbox::native
