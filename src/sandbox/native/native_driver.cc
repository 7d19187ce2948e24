// Steps of a start: ask lambda-spawn for a sandbox -> take init's control socket -> tell init what
// to run.
#include "sandbox/native/native_driver.h"

#include "sandbox/init/init_channel.h"

#include <spdlog/spdlog.h>

#include <charconv>
#include <set>
#include <unistd.h>

namespace lambda::sandbox {

// Which sandboxes lambda-spawn ended for their memory. Filled by its reader thread; shared by
// driver and sandboxes.
struct NativeDriver::Ended {
  std::mutex mutex;
  std::set<std::string> ids;
  bool take(const std::string& id) {
    const std::lock_guard lock(mutex);
    return ids.erase(id) > 0;
  }
};

namespace {

// Over loopback the answer is there at once; a sandbox that is starved of CPU takes a moment.
constexpr std::chrono::seconds kConnectLimit{2};

std::uint64_t number_after(std::string_view text, std::string_view name) {
  const auto at = text.find(name);
  if (at == std::string_view::npos) return 0;
  const auto digits = text.substr(at + name.size());
  std::uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

std::string read_small(int fd) {
  char text[1024];
  const ssize_t count = ::pread(fd, text, sizeof text, 0);
  return count > 0 ? std::string(text, static_cast<std::size_t>(count)) : std::string();
}

Task<Result<Done>> destroy(SpawnClient& spawn, std::string id) {
  const std::function<void(spawn::Encoder&)> fields = [&id](spawn::Encoder& message) {
    message.text(id);
  };
  auto answer = co_await spawn.ask(spawn::Operation::destroy, fields);
  if (!answer) co_return fail(std::move(answer.error()), "end sandbox {}", id);
  co_return Done{};
}

Task<void> destroy_in_background(SpawnClient& spawn, std::string id) {
  auto destroyed = co_await destroy(spawn, std::move(id));
  if (!destroyed) spdlog::warn("{}", destroyed.error().message());
}

class NativeSandbox final : public Sandbox {
 public:
  NativeSandbox(SpawnClient& spawn, LoopExecutor executor, std::string id,
                std::vector<UniqueFd> descriptors,
                std::function<bool(const std::string&)> ended_for_memory)
      : spawn_(spawn),
        executor_(executor),
        id_(std::move(id)),
        channel_(executor, std::move(descriptors[0])),
        peak_(std::move(descriptors[1])),
        oom_counter_(std::move(descriptors[2])),
        ended_for_memory_(std::move(ended_for_memory)) {}

  ~NativeSandbox() override {
    if (!stopped_) asio::co_spawn(executor_, destroy_in_background(spawn_, id_), asio::detached);
  }
  NativeSandbox(const NativeSandbox&) = delete;
  NativeSandbox& operator=(const NativeSandbox&) = delete;

  // Waits for init, and tells it what to run.
  Task<Result<Done>> begin(const SandboxSpec& spec,
                           std::chrono::steady_clock::time_point deadline) {
    auto hello = co_await channel_.wait_hello(deadline);
    if (!hello) co_return fail(std::move(hello.error()));
    hello_ = std::move(*hello);
    StartRequest request(spec);
    co_return co_await channel_.start(std::move(request), deadline);
  }

  [[nodiscard]] const std::string& id() const override { return id_; }
  UniqueFd take_runtime_listener() override { return std::move(hello_.listener); }
  UniqueFd take_log() override { return std::move(hello_.log); }
  Task<Result<UniqueFd>> connect(std::uint16_t port) override {
    co_return co_await channel_.connect(port, std::chrono::steady_clock::now() + kConnectLimit);
  }
  Task<ExitStatus> wait_exit() override {
    auto status = co_await channel_.wait_exit();
    if (ended_for_memory_(id_) || kernel_killed()) {
      status.out_of_memory = true;
      status.signal = 9;
    }
    co_return status;
  }
  void terminate() override { channel_.terminate(); }
  Task<Result<Done>> stop() override {
    stopped_ = true;
    co_return co_await destroy(spawn_, id_);
  }
  Task<Result<Done>> freeze() override { co_return co_await set_frozen(spawn::Operation::freeze); }
  Task<Result<Done>> thaw() override { co_return co_await set_frozen(spawn::Operation::thaw); }
  Result<Usage> usage() override {
    Usage usage;
    usage.memory_peak_bytes = number_after(read_small(peak_.get()), "");
    usage.out_of_memory = kernel_killed();
    return usage;
  }

 private:
  [[nodiscard]] bool kernel_killed() const {
    return number_after(read_small(oom_counter_.get()), "oom_kill ") > 0;
  }
  Task<Result<Done>> set_frozen(spawn::Operation operation) {
    const std::function<void(spawn::Encoder&)> fields = [this](spawn::Encoder& message) {
      message.text(id_);
    };
    auto answer = co_await spawn_.ask(operation, fields);
    if (!answer) co_return fail(std::move(answer.error()), "freeze or thaw sandbox {}", id_);
    co_return Done{};
  }

  SpawnClient& spawn_;
  LoopExecutor executor_;
  std::string id_;
  InitChannel channel_;
  InitHello hello_;
  UniqueFd peak_;
  UniqueFd oom_counter_;
  std::function<bool(const std::string&)> ended_for_memory_;
  bool stopped_ = false;
};

std::uint32_t megabytes(std::uint64_t bytes) {
  return static_cast<std::uint32_t>((bytes + (1u << 20) - 1) >> 20);
}

}  // namespace

NativeDriver::NativeDriver(SpawnClient& spawn)
    : spawn_(spawn), ended_for_memory_(std::make_shared<Ended>()) {
  spawn_.on_over_memory([ended = ended_for_memory_](const std::string& id) {
    const std::lock_guard lock(ended->mutex);
    ended->ids.insert(id);
  });
}

Task<Result<std::unique_ptr<Sandbox>>> NativeDriver::start(
    SandboxSpec spec, std::chrono::steady_clock::time_point deadline) {
  const auto executor = co_await asio::this_coro::executor;
  const std::function<void(spawn::Encoder&)> fields = [&spec](spawn::Encoder& message) {
    message.text(spec.id);
    message.text(spec.runtime);
    message.text(spec.image_id.substr(spec.image_id.find(':') + 1));
    message.text(spec.task_directory.filename().string());
    message.number(megabytes(spec.memory_bytes));
    message.number(megabytes(spec.tmp_bytes));
    message.number(spec.processes);
  };
  auto made = co_await spawn_.ask(spawn::Operation::create, fields);
  if (!made) co_return fail(std::move(made.error()));
  if (made->descriptors.size() != 3)
    co_return fail(ErrorCode::internal, "lambda-spawn gave {} descriptors instead of 3",
                   made->descriptors.size());
  auto ended = [set = ended_for_memory_](const std::string& id) { return set->take(id); };
  auto sandbox = std::make_unique<NativeSandbox>(spawn_, executor, spec.id,
                                                 std::move(made->descriptors), std::move(ended));
  auto started = co_await sandbox->begin(spec, deadline);
  if (!started) co_return fail(std::move(started.error()));
  std::unique_ptr<Sandbox> done = std::move(sandbox);
  co_return done;
}

Task<Result<std::string>> NativeDriver::probe() {
  const std::function<void(spawn::Encoder&)> nothing = [](spawn::Encoder&) {};
  auto answer = co_await spawn_.ask(spawn::Operation::probe, nothing);
  if (!answer) co_return fail(std::move(answer.error()), "the native driver does not work here");
  co_return "Linux namespaces and " + answer->text;
}

Task<Result<Done>> NativeDriver::reap_leftovers() {
  co_return Done{};
}

}  // namespace lambda::sandbox
