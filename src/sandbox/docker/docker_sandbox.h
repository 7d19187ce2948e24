// DockerSandbox: a container with lambda-init in it. The contract is in sandbox/sandbox.h.
#pragma once

#include "sandbox/docker/container.h"
#include "sandbox/init/init_channel.h"
#include "sandbox/sandbox.h"

#include <memory>
#include <string>

namespace lambda::sandbox::docker {

class DockerSandbox final : public Sandbox {
 public:
  // Owns the container, which runs; `control` is init's connection.
  DockerSandbox(LoopExecutor executor, const SandboxSpec& spec,
                std::shared_ptr<Container> container, UniqueFd control);
  ~DockerSandbox() override;

  // What is left of a start once init has connected.
  Task<Result<Done>> begin(SandboxSpec spec, std::chrono::steady_clock::time_point deadline);

  [[nodiscard]] const std::string& id() const override { return id_; }
  UniqueFd take_runtime_listener() override { return std::move(listener_); }
  UniqueFd take_log() override { return std::move(log_); }
  Task<Result<UniqueFd>> connect(std::uint16_t port) override;
  Task<ExitStatus> wait_exit() override;
  void terminate() override { channel_.terminate(); }
  Task<Result<Done>> stop() override;
  Task<Result<Done>> freeze() override { return ask("pause"); }
  Task<Result<Done>> thaw() override { return ask("unpause"); }
  Task<Result<Done>> limit_cpu(unsigned thousandths) override;
  Result<Usage> usage() override;
  [[nodiscard]] std::vector<StartStepTime> start_steps() const override {
    return container_->steps;
  }
  Result<std::uint64_t> memory_in_use() override;

 private:
  Task<Result<Done>> ask(std::string verb);
  Task<bool> killed_for_memory();
  [[nodiscard]] Result<std::uint64_t> read_memory(const UniqueFd& file) const;

  std::string id_;
  std::uint64_t memory_bytes_;
  std::shared_ptr<Container> container_;
  InitChannel channel_;
  UniqueFd listener_;
  UniqueFd log_;
  UniqueFd memory_peak_;  // the cgroup's own record of the most that was used
  UniqueFd memory_used_;
  bool ending_ = false;
  bool stopped_ = false;
  bool out_of_memory_ = false;
};

}  // namespace lambda::sandbox::docker
