// Sandbox and Driver: the isolation that an instance lives in, and the two back ends that make it.
//
// Contract, the same for both drivers (tests/contract/sandbox_contract_test.cc runs it on both):
// - start() returns when the sandbox's own init (sandbox/init) is running inside, the Runtime API
// socket listens in
//   the sandbox's network namespace on 127.0.0.1:9001, and the runtime's process has been started
//   with exactly `argv`, `environment` and `working_directory`.
// - take_runtime_listener(): a listening stream socket; whoever accepts from it talks to the
// processes inside.
// - take_log(): the read end of the pipe that is stdout and stderr of everything inside. It is set
// non-blocking.
// - wait_exit() resolves once, when the runtime's process ended or the sandbox died of itself.
// - stop() ends every process inside, and returns when nothing of it is left (processes, mounts,
// cgroups).
//   Destroying a Sandbox that was not stopped starts the same in the background.
// - What an earlier, killed server of the same data directory left (processes, cgroups, containers)
//   is gone before the first start: lambda-spawn removes it when it begins, of containers
//   DockerDriver::reap_leftovers() does.
// Threads: all calls on the loop that start() ran on; the driver itself may be shared by all loops.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/egress_rules.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::sandbox {

inline constexpr std::uint16_t kRuntimeApiPort = 9001;

struct SandboxSpec {
  std::string id;  // [a-z0-9-]{1,40}, unique on this server; names cgroups, containers, uid slots
  std::string function;  // for labels and messages
  std::string version;
  // The root: a runtime's base file system by its name ("python3.11"), or a local image's id
  // ("sha256:...").
  std::string runtime;
  std::string image_id;
  std::filesystem::path task_directory;  // mounted read-only at /var/task; empty for images
  // Where `argv` is a runtime that can be started before its function is known (with --stem): what
  // it reads of `environment` at its start. Empty: it cannot.
  std::map<std::string, std::string> stem_environment;
  // Whether its runtime may be forked from one that is warmed up, and shared by functions until
  // then (native driver: native/zygotes.h). Else it is executed, whatever that costs.
  bool may_fork = true;
  std::vector<std::string> argv;  // argv[0] is looked up in PATH of `environment`
  std::string working_directory = "/var/task";
  std::map<std::string, std::string> environment;
  // By name, in /run/secrets, which is there only where there are some: a tmpfs of the function's
  // own, its files readable by the function's user alone (0400).
  std::map<std::string, std::string> secret_files;
  std::uint64_t memory_bytes = 128ull << 20;  // of all processes together
  std::uint64_t tmp_bytes = 512ull << 20;     // size of /tmp; not counted in memory_bytes
  unsigned processes = 1024;                  // and threads
  unsigned open_files = 1024;
  // What it may reach beyond its own loopback. A driver that cannot let it out gives it none.
  EgressRule egress;
};

struct ExitStatus {
  std::optional<int> code;     // exit status of the runtime's process
  std::optional<int> signal;   // or the signal that ended it
  bool out_of_memory = false;  // the kernel killed something inside for memory
  std::string detail;          // why exec failed, or what died, in words; "" otherwise
};

// What a start consists of, as far as a driver can tell.
enum class StartStep { stem, cgroup, create, clone, mount, launch };
struct StartStepTime {
  StartStep step = StartStep::create;
  std::chrono::steady_clock::time_point begin;
  std::chrono::microseconds duration{0};
};

struct Usage {
  std::uint64_t memory_peak_bytes = 0;
  bool out_of_memory = false;
};

class Sandbox {
 public:
  virtual ~Sandbox() = default;
  [[nodiscard]] virtual const std::string& id() const = 0;
  virtual UniqueFd take_runtime_listener() = 0;
  virtual UniqueFd take_log() = 0;
  // A new socket inside the sandbox's network namespace, connected to 127.0.0.1:port there.
  // Errors: unavailable (nobody listens there yet; try again), sandbox_failed (it is gone).
  virtual Task<Result<UniqueFd>> connect(std::uint16_t port) = 0;
  virtual Task<ExitStatus> wait_exit() = 0;
  // Asks the runtime's process to end (SIGTERM); stop() is what ends it for certain.
  virtual void terminate() = 0;
  virtual Task<Result<Done>> stop() = 0;
  virtual Task<Result<Done>> freeze() = 0;
  virtual Task<Result<Done>> thaw() = 0;
  // From now on all processes inside together get at most so much CPU, whatever else is idle.
  // Errors: unsupported (this machine has no such limit), sandbox_failed.
  virtual Task<Result<Done>> limit_cpu(unsigned thousandths) = 0;
  virtual Result<Usage> usage() = 0;
  // What its processes hold at this moment, in bytes, page cache and /tmp included; no more than
  // they may. Reads one file of the kernel's. Errors: sandbox_failed (it is gone).
  virtual Result<std::uint64_t> memory_in_use() = 0;
  // Of its start, in order; nothing where the driver does not tell.
  [[nodiscard]] virtual std::vector<StartStepTime> start_steps() const { return {}; }
};

class Driver {
 public:
  virtual ~Driver() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;  // "native", "docker"
  // Errors: sandbox_failed (with the step that failed), unavailable (no such runtime or image; what
  // to do), timeout (not running by `deadline`).
  virtual Task<Result<std::unique_ptr<Sandbox>>> start(
      SandboxSpec spec, std::chrono::steady_clock::time_point deadline) = 0;
  // Such a sandbox will be wanted soon: what can be made ready for it ahead may be.
  virtual void expect([[maybe_unused]] const SandboxSpec& spec) {}
  // Whether it can work on this machine, in a sentence for people ("Docker Engine 20.10 at
  // /run/docker.sock").
  virtual Task<Result<std::string>> probe() = 0;
};

}  // namespace lambda::sandbox
