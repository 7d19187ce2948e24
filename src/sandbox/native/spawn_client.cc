#include "sandbox/native/spawn_client.h"

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <vector>

namespace lambda::sandbox::native {
namespace {

namespace fs = std::filesystem;

constexpr int kHelloTimeoutMs = 15'000;

fs::path program_directory(const SpawnOptions& options) {
  if (!options.program_directory.empty()) return options.program_directory;
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

Result<SpawnReply> receive(int socket) {
  SpawnReply reply;
  ssize_t size = -1;
  do {
    size = ::recv(socket, &reply, sizeof(reply), 0);
  } while (size < 0 && errno == EINTR);
  if (size != static_cast<ssize_t>(sizeof(reply)))
    return fail(ErrorCode::unavailable, "lambda-spawn has ended: restart the server");
  reply.text[sizeof(reply.text) - 1] = '\0';
  return reply;
}

// posix_spawn: vfork inside, nothing of lambdad's memory is copied.
Result<pid_t> execute(const std::string& program, std::vector<std::string> arguments, int socket) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, socket, kSpawnSocket);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, kSpawnSocket + 1);
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  char* const environment[] = {nullptr};
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environment);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    return fail(Error::from_errno("start " + program, error).as(ErrorCode::unavailable));
  return pid;
}

}  // namespace

// Shared by the waiting coroutine and the reader; `done` and `reply` belong to the loop.
struct SpawnClient::Pending {
  explicit Pending(LoopExecutor loop) : executor(loop) {}
  LoopExecutor executor;
  AsyncEvent done;
  std::optional<Result<SpawnReply>> reply;
};

std::unique_ptr<SpawnClient> SpawnClient::launch(const SpawnOptions& options) {
  std::unique_ptr<SpawnClient> client(new SpawnClient);
  auto started = client->start_process(options);
  client->description_ =
      started ? client->wait_hello() : Result<std::string>(tl::unexpected(started.error()));
  return client;
}

Result<Done> SpawnClient::start_process(const SpawnOptions& options) {
  std::error_code error;
  data_directory_ = fs::canonical(options.data_directory, error);
  if (error) {
    return fail(ErrorCode::unavailable, "the data directory {} cannot be used: {}",
                options.data_directory.string(), error.message());
  }
  runtimes_directory_ = fs::weakly_canonical(options.runtimes_directory, error);
  if (!runtimes_directory_.is_absolute()) runtimes_directory_ = fs::absolute(runtimes_directory_);
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return fail(Error::from_errno("make a socket for lambda-spawn"));
  socket_.reset(ends[0]);
  // dup2 onto itself would keep close-on-exec.
  UniqueFd theirs(::fcntl(ends[1], F_DUPFD_CLOEXEC, kSpawnSocket + 1));
  ::close(ends[1]);
  const fs::path directory = program_directory(options);
  std::vector<std::string> arguments{"lambda-spawn",
                                     "--data",
                                     data_directory_.string(),
                                     "--runtimes",
                                     runtimes_directory_.string(),
                                     "--init",
                                     (directory / "lambda-init").string(),
                                     "--memory",
                                     std::to_string(options.memory_budget),
                                     "--processes",
                                     std::to_string(options.process_budget)};
  auto pid = execute((directory / "lambda-spawn").string(), std::move(arguments), theirs.get());
  if (!pid) return fail(std::move(pid.error()));
  pid_ = *pid;
  return Done{};
}

Result<std::string> SpawnClient::wait_hello() {
  pollfd ready{socket_.get(), POLLIN, 0};
  if (::poll(&ready, 1, kHelloTimeoutMs) <= 0)
    return fail(ErrorCode::unavailable, "lambda-spawn did not answer");
  auto hello = receive(socket_.get());
  if (!hello) return fail(std::move(hello.error()));
  if (hello->failed != 0) return fail(static_cast<ErrorCode>(hello->error_code), "{}", hello->text);
  if (hello->operation != Operation::hello || hello->request != kSpawnProtocolVersion) {
    return fail(ErrorCode::unavailable,
                "lambda-spawn is of another version than lambdad: install both together");
  }
  sandbox_limit_ = hello->sandboxes;
  return std::string(hello->text);
}

SpawnClient::~SpawnClient() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  // Ends the reader here and tells lambda-spawn to kill what is left.
  if (socket_) ::shutdown(socket_.get(), SHUT_RDWR);
  if (reader_.joinable()) reader_.join();
  socket_.reset();
  if (pid_ > 0) {
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

Result<std::string> SpawnClient::description() const {
  return description_;
}

Result<Done> SpawnClient::send(const SpawnRequest& request, int descriptor) {
  iovec part{const_cast<SpawnRequest*>(&request), sizeof(request)};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char ancillary[CMSG_SPACE(sizeof(int))] = {};
  if (descriptor >= 0) {
    message.msg_control = ancillary;
    message.msg_controllen = sizeof(ancillary);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof(descriptor));
  }
  // May wait for lambda-spawn when a hundred requests are under way: microseconds each.
  while (::sendmsg(socket_.get(), &message, MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    return fail(Error::from_errno("send a request to lambda-spawn").as(ErrorCode::unavailable));
  }
  return Done{};
}

void SpawnClient::start_reader() {
  if (!reader_.joinable()) reader_ = std::thread([this] { read_replies(); });
}

void SpawnClient::on_gone(std::function<void()> action) {
  if (!description_) return;
  const std::lock_guard lock(mutex_);
  on_gone_ = std::move(action);
  start_reader();
}

void SpawnClient::wake(const std::shared_ptr<Pending>& pending, Result<SpawnReply> reply) {
  auto on_loop = [pending, reply = std::move(reply)]() mutable {
    pending->reply = std::move(reply);
    pending->done.set();
  };
  asio::post(pending->executor, std::move(on_loop));
}

void SpawnClient::read_replies() {
  ::pthread_setname_np(::pthread_self(), "spawn");
  while (true) {
    auto reply = receive(socket_.get());
    const std::lock_guard lock(mutex_);
    if (!reply) {
      gone_ = true;
      for (auto& [number, pending] : pending_) wake(pending, reply);
      pending_.clear();
      if (on_gone_ && !closing_) on_gone_();
      return;
    }
    const auto found = pending_.find(reply->request);
    if (found == pending_.end()) continue;  // posted, or given up
    wake(found->second, std::move(reply));
    pending_.erase(found);
  }
}

Task<Result<SpawnReply>> SpawnClient::request(SpawnRequest request, int descriptor,
                                              std::chrono::steady_clock::time_point deadline) {
  if (!description_) co_return fail(Error(description_.error()));
  auto executor = co_await asio::this_coro::executor;
  const auto pending = std::make_shared<Pending>(executor);
  {
    const std::lock_guard lock(mutex_);
    if (gone_) co_return fail(ErrorCode::unavailable, "lambda-spawn has ended: restart the server");
    start_reader();
    request.request = ++last_request_;
    if (request.request == 0) request.request = ++last_request_;
    pending_.emplace(request.request, pending);
  }
  auto sent = send(request, descriptor);
  bool answered = false;
  if (sent) answered = co_await pending->done.wait_until(deadline);
  if (!answered) {
    const std::lock_guard lock(mutex_);
    pending_.erase(request.request);
  }
  if (!sent) co_return fail(std::move(sent.error()));
  if (!pending->reply) co_return fail(ErrorCode::timeout, "lambda-spawn did not answer in time");
  auto reply = std::move(*pending->reply);
  if (!reply) co_return fail(std::move(reply.error()));
  if (reply->failed != 0)
    co_return fail(static_cast<ErrorCode>(reply->error_code), "{}", reply->text);
  co_return *reply;
}

void SpawnClient::post(SpawnRequest request) {
  if (!description_) return;
  {
    const std::lock_guard lock(mutex_);
    request.request = ++last_request_;
  }
  // Nobody to tell: a lambda-spawn that is gone has taken its sandboxes with it.
  [[maybe_unused]] const auto sent = send(request, -1);
}

}  // namespace lambda::sandbox::native
