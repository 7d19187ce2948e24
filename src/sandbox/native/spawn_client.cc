#include "sandbox/native/spawn_client.h"

#include "sandbox/native/seqpacket.h"

#include <spdlog/spdlog.h>

#include <cstring>
#include <fcntl.h>
#include <optional>
#include <pthread.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lambda::sandbox {
namespace {

constexpr int kChildSocket = 3;

}  // namespace

// One question; shared by the asking coroutine and the reader thread, which fills it before it
// posts the wake-up.
struct SpawnClient::Waiting {
  explicit Waiting(LoopExecutor loop) : executor(loop) {}
  LoopExecutor executor;
  AsyncEvent answered;
  Answer answer;
  std::optional<Error> error;
};

Result<std::unique_ptr<SpawnClient>> SpawnClient::launch(const Options& options) {
  if (::geteuid() != 0)
    return fail(ErrorCode::unavailable, "the native driver needs lambdad to be started as root");
  for (const auto& program : {options.program, options.init}) {
    if (::access(program.c_str(), X_OK) != 0)
      return fail(ErrorCode::unavailable, "{} is missing: build it, or install the package again",
                  program.string());
  }
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return fail(Error::from_errno("make the socket to lambda-spawn"));
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  // posix_spawn's dup2 onto the same number would keep close-on-exec.
  if (theirs.get() == kChildSocket) {
    const int moved = ::fcntl(theirs.get(), F_DUPFD_CLOEXEC, 10);
    theirs.reset(moved);
  }
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), kChildSocket);
  std::vector<std::string> texts{options.program.string(),
                                 "--fd",
                                 std::to_string(kChildSocket),
                                 "--data-dir",
                                 options.data_directory.string(),
                                 "--runtimes-dir",
                                 options.runtimes_directory.string(),
                                 "--init",
                                 options.init.string(),
                                 "--server-id",
                                 options.server_id};
  std::vector<char*> argv;
  for (auto& text : texts) argv.push_back(text.data());
  argv.push_back(nullptr);
  char* environment[] = {nullptr};  // clean: nothing of lambdad's reaches root
  pid_t pid = 0;
  const int failed =
      ::posix_spawn(&pid, options.program.c_str(), &actions, nullptr, argv.data(), environment);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0)
    return fail(
        Error::from_errno("start " + options.program.string(), failed).as(ErrorCode::unavailable));
  return std::unique_ptr<SpawnClient>(new SpawnClient(std::move(ours), pid));
}

SpawnClient::SpawnClient(UniqueFd socket, pid_t pid) : socket_(std::move(socket)), pid_(pid) {}

SpawnClient::~SpawnClient() {
  shut_down();
}

void SpawnClient::start() {
  reader_ = std::thread([this] { read_answers(); });
}

void SpawnClient::shut_down() {
  if (pid_ <= 0) return;
  ::shutdown(socket_.get(), SHUT_RDWR);
  if (reader_.joinable()) reader_.join();
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void SpawnClient::on_over_memory(std::function<void(const std::string& id)> listener) {
  const std::lock_guard lock(mutex_);
  over_memory_ = std::move(listener);
}

Task<Result<SpawnClient::Answer>> SpawnClient::ask(spawn::Operation operation,
                                                   std::function<void(spawn::Encoder&)> fields) {
  const auto executor = co_await asio::this_coro::executor;
  auto waiting = std::make_shared<Waiting>(executor);
  {
    const std::lock_guard lock(mutex_);
    if (gone_)
      co_return fail(ErrorCode::unavailable, "lambda-spawn has ended: start lambdad again");
    const auto number = ++last_number_ == 0 ? ++last_number_ : last_number_;
    waiting_[number] = waiting;
    spawn::Encoder message;
    message.number(number);
    message.number(static_cast<std::uint32_t>(operation));
    fields(message);
    if (!spawn::send_message(socket_.get(), message.bytes())) {
      const int error_number = errno;
      waiting_.erase(number);
      co_return fail(
          Error::from_errno("ask lambda-spawn", error_number).as(ErrorCode::unavailable));
    }
  }
  co_await waiting->answered.wait();
  if (waiting->error) co_return fail(std::move(*waiting->error));
  co_return std::move(waiting->answer);
}

void SpawnClient::read_answers() {
  ::pthread_setname_np(::pthread_self(), "spawn");
  while (true) {
    auto received = spawn::receive_message(socket_.get(), spawn::kMaxMessage);
    std::vector<UniqueFd> descriptors;
    for (const int fd : received.descriptors) descriptors.emplace_back(fd);
    if (received.kind != spawn::Received::Kind::message) break;
    spawn::Decoder message(received.bytes);
    const auto number = message.number();
    const auto status = message.number();
    auto text = message.text();
    if (!message.ok()) continue;
    const std::lock_guard lock(mutex_);
    if (number == 0) {
      if (status == static_cast<std::uint32_t>(spawn::Event::over_memory) && over_memory_)
        over_memory_(text);
      continue;
    }
    auto node = waiting_.extract(number);
    if (node.empty()) continue;
    auto waiting = std::move(node.mapped());
    if (status == 0) {
      waiting->answer.text = std::move(text);
      waiting->answer.descriptors = std::move(descriptors);
    } else {
      waiting->error.emplace(static_cast<ErrorCode>(status - 1), std::move(text));
    }
    auto wake = [waiting] { waiting->answered.set(); };
    asio::post(waiting->executor, std::move(wake));
  }
  const std::lock_guard lock(mutex_);
  gone_ = true;
  for (auto& entry : waiting_) {
    auto waiting = entry.second;
    waiting->error.emplace(ErrorCode::unavailable, "lambda-spawn has ended: start lambdad again");
    auto wake = [waiting] { waiting->answered.set(); };
    asio::post(waiting->executor, std::move(wake));
  }
  waiting_.clear();
}

}  // namespace lambda::sandbox
