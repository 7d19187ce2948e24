#include "sandbox/docker/docker_sandbox.h"

#include "base/deadline.h"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <unistd.h>

namespace lambda::sandbox::docker {
namespace {

using std::chrono::seconds;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr seconds kConnectLimit{5};
constexpr seconds kEngineLimit{10};

}  // namespace

DockerSandbox::DockerSandbox(LoopExecutor executor, const SandboxSpec& spec,
                             std::shared_ptr<Container> container, UniqueFd control)
    : id_(spec.id),
      memory_bytes_(spec.memory_bytes),
      container_(std::move(container)),
      channel_(executor, std::move(control)) {}

// The channel's end ends init, and with it every process inside at once; the Engine needs longer to
// clear away.
DockerSandbox::~DockerSandbox() {
  if (!stopped_) container_->discard();
}

Task<Result<Done>> DockerSandbox::begin(SandboxSpec spec, SteadyTime deadline) {
  auto hello = co_await channel_.wait_hello(deadline);
  if (!hello) co_return fail(std::move(hello.error()));
  listener_ = std::move(hello->listener);
  log_ = std::move(hello->log);
  memory_peak_ = std::move(hello->memory_peak);
  memory_used_ = std::move(hello->memory_used);
  StartRequest request(spec);
  co_return co_await channel_.start(std::move(request), deadline);
}

Task<Result<UniqueFd>> DockerSandbox::connect(std::uint16_t port) {
  return channel_.connect(port, in(kConnectLimit));
}

Task<ExitStatus> DockerSandbox::wait_exit() {
  auto exit = co_await channel_.wait_exit();
  const bool by_itself = exit.signal == SIGKILL && !exit.out_of_memory && !ending_;
  // The kernel may have taken init too, which then could not say so.
  if (by_itself) exit.out_of_memory = co_await killed_for_memory();
  out_of_memory_ = out_of_memory_ || exit.out_of_memory;
  if (exit.out_of_memory) exit.detail = "the function used more memory than it may";
  co_return exit;
}

Task<bool> DockerSandbox::killed_for_memory() {
  auto answer = co_await container_->engine->call(
      "GET", fmt::format("/containers/{}/json", container_->id), std::string(), in(kEngineLimit));
  if (!answer) co_return false;
  boost::system::error_code error;
  const auto value = boost::json::parse(*answer, error);
  if (error) co_return false;
  const auto* killed = value.find_pointer("/State/OOMKilled", error);
  co_return !error && killed != nullptr && killed->is_bool() && killed->as_bool();
}

Task<Result<Done>> DockerSandbox::stop() {
  if (stopped_) co_return Done{};
  ending_ = true;
  channel_.close();
  auto removed = co_await remove_container(container_->engine, container_->id, container_->volumes);
  if (removed) stopped_ = true;
  co_return removed;
}

Task<Result<Done>> DockerSandbox::ask(std::string verb) {
  auto answer = co_await container_->engine->call(
      "POST", fmt::format("/containers/{}/{}", container_->id, verb), std::string(),
      in(kEngineLimit));
  if (!answer) co_return fail(std::move(answer.error()), "{} sandbox {}", verb, id_);
  co_return Done{};
}

Task<Result<Done>> DockerSandbox::limit_cpu(unsigned thousandths) {
  auto answer = co_await container_->engine->call(
      "POST", fmt::format("/containers/{}/update", container_->id),
      fmt::format(R"({{"NanoCpus":{}}})", std::uint64_t{thousandths} * 1'000'000),
      in(kEngineLimit));
  if (!answer) co_return fail(std::move(answer.error()), "limit the CPU of sandbox {}", id_);
  co_return Done{};
}

// The cgroup counts page cache and /tmp too; what a function used is never more than it may.
Result<std::uint64_t> DockerSandbox::read_memory(const UniqueFd& file) const {
  char text[32] = {};
  std::uint64_t bytes = 0;
  const ssize_t size = ::pread(file.get(), text, sizeof(text) - 1, 0);
  if (size <= 0 || std::from_chars(text, text + size, bytes).ec != std::errc()) {
    return fail(ErrorCode::sandbox_failed, "sandbox {} has no memory cgroup any more", id_);
  }
  return std::min(bytes, memory_bytes_);
}

Result<std::uint64_t> DockerSandbox::memory_in_use() {
  return read_memory(memory_used_);
}

Result<Usage> DockerSandbox::usage() {
  const auto peak = read_memory(memory_peak_);
  if (!peak) return fail(Error(peak.error()));
  Usage usage;
  usage.memory_peak_bytes = *peak;
  usage.out_of_memory = out_of_memory_;
  return usage;
}

}  // namespace lambda::sandbox::docker
