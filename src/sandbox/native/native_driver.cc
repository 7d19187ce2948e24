// Steps of a start: request (names and relative paths) -> a stem is taken, where one waits; its
// init is told what to start, lambda-spawn gives it the function's limits and code and tells init
// that it may; else lambda-spawn makes the sandbox around one end of a new control socket -> init
// says hello -> the runtime starts.
#include "sandbox/native/native_driver.h"

#include "base/deadline.h"
#include "sandbox/init/init_channel.h"
#include "sandbox/native/cgroup_files.h"
#include "sandbox/secret_files.h"
#include "sandbox/zygote_program.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <initializer_list>
#include <optional>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace lambda::sandbox::native {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr seconds kStopLimit{30};
constexpr seconds kShortLimit{5};

template <std::size_t Size>
Result<Done> copy_field(char (&to)[Size], std::string_view from, std::string_view what) {
  if (from.size() >= Size || from.find('\0') != std::string_view::npos)
    return fail(ErrorCode::invalid, "{} \"{}\" is too long", what, from);
  std::memcpy(to, from.data(), from.size());
  return Done{};
}

// A directory as lambda-spawn names it: relative to the data directory.
Result<std::string> below(const fs::path& base, const fs::path& directory, std::string_view what) {
  std::error_code error;
  const auto real = fs::canonical(directory, error);
  if (error) {
    return fail(ErrorCode::sandbox_failed, "{} {} cannot be used: {}", what, directory.string(),
                error.message());
  }
  auto relative = real.lexically_relative(base).string();
  if (relative.empty() || relative.starts_with("..") || relative == ".") {
    return fail(ErrorCode::sandbox_failed, "{} {} does not lie in the data directory {}", what,
                real.string(), base.string());
  }
  return relative;
}

SpawnRequest request_for(Operation operation, const std::string& id) {
  SpawnRequest request;
  request.operation = operation;
  std::memcpy(request.id, id.data(), std::min(id.size(), sizeof(request.id) - 1));
  return request;
}

// Whether a zygote's fork is just what would be executed.
bool is_forked(const SandboxSpec& spec) {
  if (!spec.may_fork || !spec.image_id.empty()) return false;
  if (!std::equal(spec.argv.begin(), spec.argv.end(), kZygoteArguments.begin(),
                  kZygoteArguments.end()))
    return false;
  std::map<std::string, std::string> environment;
  for (const auto& [name, value] : kZygoteEnvironment) environment.emplace(name, value);
  return spec.stem_environment == environment;
}

StemKind kind_of(const SandboxSpec& spec, const SpawnRequest& request,
                 const fs::path& runtimes_directory) {
  StemKind kind;
  kind.root_kind = request.root_kind;
  kind.root = request.root;
  kind.way_out = request.egress != Egress::none;
  if (kind.root_kind == RootKind::runtime) {
    struct stat root {};
    if (::stat((runtimes_directory / kind.root / "rootfs").c_str(), &root) == 0)
      kind.root_inode = root.st_ino;
  }
  if (spec.stem_environment.empty()) return kind;
  kind.argv = spec.argv;
  kind.argv.emplace_back("--stem");
  kind.environment = spec.stem_environment;
  kind.fork = is_forked(spec);
  return kind;
}

class NativeSandbox final : public Sandbox {
 public:
  NativeSandbox(SpawnClient& spawn, LoopExecutor executor, std::string id,
                std::uint64_t memory_bytes, UniqueFd control)
      : spawn_(spawn),
        id_(std::move(id)),
        memory_bytes_(memory_bytes),
        channel_(executor, std::move(control)) {}

  ~NativeSandbox() override {
    if (!stopped_) spawn_.post(request_for(Operation::stop, id_));
  }

  void was_never_made() { stopped_ = true; }

  // lambda-spawn has made it, or filled a stem, just now.
  void was_made(const SpawnReply& made) {
    using std::chrono::microseconds;
    made_ = std::chrono::steady_clock::now();
    std::vector<std::pair<StartStep, std::uint32_t>> steps;
    if (made.operation == Operation::fill) {
      steps = {{StartStep::stem, made.cgroup_time}, {StartStep::mount, made.mount_time}};
    } else {
      steps = {{StartStep::cgroup, made.cgroup_time},
               {StartStep::clone, made.clone_time},
               {StartStep::mount, made.mount_time}};
    }
    auto begin = made_;
    for (const auto& [step, took] : steps) begin -= microseconds(took);
    for (const auto& [step, took] : steps) {
      start_steps_.push_back(StartStepTime{step, begin, microseconds(took)});
      begin += microseconds(took);
    }
  }

  // Of a stem that is going to be filled: the function begins as soon as it is, unless files have
  // to be written first. begin() does the rest.
  Result<Done> begin_when_filled(const SandboxSpec& spec) {
    if (!spec.secret_files.empty()) return Done{};
    start_asked_ = true;
    return channel_.start_when_filled(StartRequest(spec));
  }

  // What is left of a start once lambda-spawn runs init.
  Task<Result<Done>> begin(SandboxSpec spec, std::string memory_cgroup, SteadyTime deadline) {
    memory_cgroup_ = std::move(memory_cgroup);
    auto hello = co_await channel_.wait_hello(deadline);
    if (!hello) co_return fail(std::move(hello.error()));
    listener_ = std::move(hello->listener);
    log_ = std::move(hello->log);
    Result<Done> started = Done{};
    if (start_asked_) {
      started = co_await channel_.wait_started(deadline);
    } else {
      StartRequest request(spec);
      started = co_await channel_.start(std::move(request), deadline);
    }
    start_steps_.push_back(StartStepTime{StartStep::launch, made_,
                                         std::chrono::duration_cast<std::chrono::microseconds>(
                                             std::chrono::steady_clock::now() - made_)});
    co_return started;
  }
  [[nodiscard]] std::vector<StartStepTime> start_steps() const override { return start_steps_; }

  [[nodiscard]] const std::string& id() const override { return id_; }
  UniqueFd take_runtime_listener() override { return std::move(listener_); }
  UniqueFd take_log() override { return std::move(log_); }

  Task<Result<UniqueFd>> connect(std::uint16_t port) override {
    return channel_.connect(port, in(kShortLimit));
  }

  Task<ExitStatus> wait_exit() override {
    auto exit = co_await channel_.wait_exit();
    auto status =
        co_await spawn_.request(request_for(Operation::status, id_), UniqueFd(), in(kShortLimit));
    out_of_memory_ = out_of_memory_ || (status && status->out_of_memory != 0);
    // A runtime that survived the death of one of its children ended for a reason of its own.
    exit.out_of_memory = out_of_memory_ && exit.signal == SIGKILL;
    if (exit.out_of_memory) exit.detail = "the function used more memory than it may";
    co_return exit;
  }

  void terminate() override { channel_.terminate(); }

  Task<Result<Done>> stop() override {
    if (stopped_) co_return Done{};
    auto done = co_await ask(Operation::stop, kStopLimit);
    if (done) stopped_ = true;
    channel_.close();
    co_return done;
  }

  Task<Result<Done>> freeze() override { return ask(Operation::freeze, kShortLimit); }
  Task<Result<Done>> thaw() override { return ask(Operation::thaw, kShortLimit); }

  Task<Result<Done>> limit_cpu(unsigned thousandths) override {
    auto request = request_for(Operation::limit_cpu, id_);
    request.cpu_thousandths = thousandths;
    auto reply = co_await spawn_.request(request, UniqueFd(), in(kShortLimit));
    if (!reply) co_return fail(std::move(reply.error()), "sandbox {}", id_);
    co_return Done{};
  }

  Result<Usage> usage() override;
  Result<std::uint64_t> memory_in_use() override;

 private:
  Task<Result<Done>> ask(Operation operation, seconds limit) {
    auto reply = co_await spawn_.request(request_for(operation, id_), UniqueFd(), in(limit));
    if (!reply) co_return fail(std::move(reply.error()), "sandbox {}", id_);
    co_return Done{};
  }

  // Of its memory cgroup. `there`: which of them this kernel has, once that is known.
  std::optional<std::string> read_first_of(const char*& there,
                                           std::initializer_list<const char*> files) const;

  SpawnClient& spawn_;
  std::string id_;
  std::uint64_t memory_bytes_;
  std::string memory_cgroup_;
  const char* peak_file_ = nullptr;
  const char* kills_file_ = nullptr;
  const char* used_file_ = nullptr;
  InitChannel channel_;
  UniqueFd listener_;
  UniqueFd log_;
  bool start_asked_ = false;
  bool stopped_ = false;
  bool out_of_memory_ = false;
  SteadyTime made_{};
  std::vector<StartStepTime> start_steps_;
};

std::optional<std::string> NativeSandbox::read_first_of(
    const char*& there, std::initializer_list<const char*> files) const {
  for (const char* file : files) {
    if (there != nullptr && there != file) continue;
    auto text = read_file_at(AT_FDCWD, memory_cgroup_ + file);
    if (!text) continue;
    there = file;
    return std::move(*text);
  }
  return std::nullopt;
}

// Reads the cgroup's own files, which anyone may: 10 us, no question to lambda-spawn. The kernel
// counts page cache and /tmp too; what a function used is never more than it may.
Result<Usage> NativeSandbox::usage() {
  Usage usage;
  const auto peak =
      read_first_of(peak_file_, {"/memory.max_usage_in_bytes", "/memory.peak", "/memory.current"});
  if (peak) usage.memory_peak_bytes = std::min(parse_number(*peak).value_or(0), memory_bytes_);
  if (usage.memory_peak_bytes == 0)
    return fail(ErrorCode::sandbox_failed, "sandbox {} has no memory cgroup any more", id_);
  const auto kills = read_first_of(kills_file_, {"/memory.oom_control", "/memory.events"});
  usage.out_of_memory = out_of_memory_ || (kills && value_of(*kills, "oom_kill").value_or(0) > 0);
  return usage;
}

Result<std::uint64_t> NativeSandbox::memory_in_use() {
  if (const auto used = read_first_of(used_file_, {"/memory.usage_in_bytes", "/memory.current"}))
    return std::min(parse_number(*used).value_or(0), memory_bytes_);
  return fail(ErrorCode::sandbox_failed, "sandbox {} has no memory cgroup any more", id_);
}

}  // namespace

NativeDriver::NativeDriver(SpawnClient& spawn, ImageRoots image_roots, StemLimits stems)
    : spawn_(spawn), image_roots_(std::move(image_roots)), stems_(spawn, stems) {}

Result<SpawnRequest> NativeDriver::start_request(const SandboxSpec& spec) const {
  SpawnRequest request = request_for(Operation::start, spec.id);
  request.memory_bytes = spec.memory_bytes;
  request.tmp_bytes = spec.tmp_bytes;
  request.processes = spec.processes;
  request.secret_files = static_cast<std::uint32_t>(spec.secret_files.size());
  request.secret_bytes = secret_bytes(spec);
  request.fork = is_forked(spec) ? 1 : 0;
  // Where there is none on this machine its functions are in their sandboxes alone.
  if (spec.egress.out && spawn_.uplink()) {
    const auto& networks = spec.egress.networks;
    request.egress = networks.empty() ? Egress::internet : Egress::networks;
    request.network_count = static_cast<std::uint32_t>(networks.size());
    if (networks.size() > kMostNetworks)
      return fail(ErrorCode::invalid, "{} networks are too many", networks.size());
    std::copy(networks.begin(), networks.end(), request.networks);
  }
  std::string root = spec.runtime;
  request.root_kind = RootKind::runtime;
  if (!spec.image_id.empty()) {
    const auto directory = image_roots_ ? image_roots_(spec.image_id) : std::nullopt;
    if (!directory) {
      return fail(ErrorCode::unavailable,
                  "the file system of image {} is not on this server: deploy the function again",
                  spec.image_id);
    }
    auto relative = below(spawn_.data_directory(), *directory, "the image's file system");
    if (!relative) return fail(std::move(relative.error()));
    root = std::move(*relative);
    request.root_kind = RootKind::image;
  } else if (!fs::is_directory(spawn_.runtimes_directory() / root / "rootfs")) {
    return fail(ErrorCode::unavailable,
                "runtime {} is not built on this server: run `runtimes/build {}` there", root,
                root);
  }
  if (auto copied = copy_field(request.root, root, "root"); !copied)
    return fail(std::move(copied.error()));
  if (!spec.task_directory.empty()) {
    auto task = below(spawn_.data_directory(), spec.task_directory, "the function's code");
    if (!task) return fail(std::move(task.error()));
    if (auto copied = copy_field(request.task, *task, "code directory"); !copied)
      return fail(std::move(copied.error()));
  }
  return request;
}

Task<Result<std::unique_ptr<Sandbox>>> NativeDriver::start(SandboxSpec spec, TimePoint deadline) {
  auto request = start_request(spec);
  if (!request) co_return fail(std::move(request.error()));
  if (auto stem = stems_.take(kind_of(spec, *request, spawn_.runtimes_directory()))) {
    auto started = co_await start_in_stem(std::move(*stem), spec, *request, deadline);
    if (started) co_return started;
    spdlog::warn("a stem was of no use, so {} starts from nothing: {}", spec.function,
                 started.error().message());
  }
  co_return co_await start_afresh(std::move(spec), *request, deadline);
}

Task<Result<std::unique_ptr<Sandbox>>> NativeDriver::start_in_stem(Stem stem, SandboxSpec spec,
                                                                   SpawnRequest request,
                                                                   TimePoint deadline) {
  auto executor = co_await asio::this_coro::executor;
  // From here on, destroying `sandbox` stops the stem.
  auto sandbox = std::make_unique<NativeSandbox>(spawn_, executor, stem.id, spec.memory_bytes,
                                                 std::move(stem.control));
  const auto wanted = request_for(Operation::fill, stem.id);
  request.operation = wanted.operation;
  std::memcpy(request.id, wanted.id, sizeof(request.id));
  if (auto asked = sandbox->begin_when_filled(spec); !asked)
    co_return fail(std::move(asked.error()));
  auto filled = co_await spawn_.request(request, UniqueFd(), deadline);
  if (!filled) co_return fail(std::move(filled.error()));
  sandbox->was_made(*filled);
  auto begun = co_await sandbox->begin(std::move(spec), filled->text, deadline);
  if (!begun) co_return fail(std::move(begun.error()));
  std::unique_ptr<Sandbox> result = std::move(sandbox);
  co_return std::move(result);
}

Task<Result<std::unique_ptr<Sandbox>>> NativeDriver::start_afresh(SandboxSpec spec,
                                                                  SpawnRequest request,
                                                                  TimePoint deadline) {
  auto ends = InitChannel::make_pair();
  if (!ends) co_return fail(std::move(ends.error()));
  auto executor = co_await asio::this_coro::executor;
  auto sandbox = std::make_unique<NativeSandbox>(spawn_, executor, spec.id, spec.memory_bytes,
                                                 std::move(ends->first));
  // From here on, destroying `sandbox` stops what has been made.
  auto made = co_await spawn_.request(request, std::move(ends->second), deadline);
  if (!made) {
    // Without an answer lambda-spawn may still make it; with any other there is nothing.
    if (made.error().code() != ErrorCode::timeout) sandbox->was_never_made();
    co_return fail(std::move(made.error()), "make sandbox {}", spec.id);
  }
  sandbox->was_made(*made);
  std::string memory_cgroup = made->text;
  auto begun = co_await sandbox->begin(std::move(spec), std::move(memory_cgroup), deadline);
  if (!begun) {
    auto error = std::move(begun.error());
    auto stopped = co_await sandbox->stop();
    co_return fail(std::move(error), "start in sandbox {}", sandbox->id());
  }
  std::unique_ptr<Sandbox> result = std::move(sandbox);
  co_return std::move(result);
}

void NativeDriver::expect(const SandboxSpec& spec) {
  if (const auto request = start_request(spec))
    stems_.expect(kind_of(spec, *request, spawn_.runtimes_directory()));
}

Task<Result<std::string>> NativeDriver::probe() {
  auto found = spawn_.description();
  if (!found) co_return fail(std::move(found.error()));
  co_return "Linux namespaces with " + *found;
}

}  // namespace lambda::sandbox::native
