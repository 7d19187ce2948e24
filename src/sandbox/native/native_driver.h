// NativeDriver: sandboxes from Linux namespaces, cgroups and seccomp, made by lambda-spawn.
// The contract is in sandbox/sandbox.h. Threads: start() and everything of its Sandbox on one loop;
// the driver may be shared by all loops. It must outlive its sandboxes, and the SpawnClient both.
#pragma once

#include "sandbox/native/spawn_client.h"
#include "sandbox/native/stems.h"
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
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit NativeDriver(SpawnClient& spawn, ImageRoots image_roots = {}, StemLimits stems = {});

  [[nodiscard]] std::string_view name() const override { return "native"; }
  Task<Result<std::unique_ptr<Sandbox>>> start(SandboxSpec spec, TimePoint deadline) override;
  Task<Result<std::string>> probe() override;
  void expect(const SandboxSpec& spec) override;
  // Whose keep() makes them.
  Stems& stems() { return stems_; }

 private:
  Result<SpawnRequest> start_request(const SandboxSpec& spec) const;
  Task<Result<std::unique_ptr<Sandbox>>> start_in_stem(Stem stem, SandboxSpec spec,
                                                       SpawnRequest request, TimePoint deadline);
  Task<Result<std::unique_ptr<Sandbox>>> start_afresh(SandboxSpec spec, SpawnRequest request,
                                                      TimePoint deadline);

  SpawnClient& spawn_;
  ImageRoots image_roots_;
  Stems stems_;
};

}  // namespace lambda::sandbox::native
