// Steps of a request: a number -> sent at once, or into the queue behind what waits -> the thread
// sends what the socket takes and wakes who waits for the reply that came.
#include "sandbox/native/spawn_client.h"

#include "base/descriptor_message.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace lambda::sandbox::native {
namespace {

namespace fs = std::filesystem;

constexpr int kHelloTimeoutMs = 15'000;
constexpr int kEndTimeoutMs = 30'000;

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

// Shared by the waiting coroutine and the thread; `done` and `reply` belong to the loop.
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
  // What is in the socket cannot be overtaken any more: about 25 requests.
  const int room = 32 << 10;
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
  queued_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!queued_) return fail(Error::from_errno("make an eventfd"));
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
                                     "--zygote",
                                     (directory / "lambda-zygote.so").string(),
                                     "--zygote-forks",
                                     std::to_string(options.zygote_forks),
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
  hello->uplink_text[sizeof(hello->uplink_text) - 1] = '\0';
  uplink_ = Done{};
  if (hello->uplink == 0) uplink_ = fail(ErrorCode::unavailable, "{}", hello->uplink_text);
  return std::string(hello->text);
}

SpawnClient::~SpawnClient() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  // Ends the thread here and tells lambda-spawn to kill what is left.
  if (socket_) ::shutdown(socket_.get(), SHUT_RDWR);
  if (thread_.joinable()) thread_.join();
  socket_.reset();
  if (pid_ > 0) {
    // One that is stopped ends when it goes on, without us.
    const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    pollfd ended{process.get(), POLLIN, 0};
    if (process && ::poll(&ended, 1, kEndTimeoutMs) == 0) return;
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

Result<std::string> SpawnClient::description() const {
  return description_;
}

std::filesystem::path SpawnClient::memory_cgroup() const {
  constexpr std::string_view before = " at ";
  const auto begin = description_ ? description_->find(before) : std::string::npos;
  if (begin == std::string::npos) return {};
  const auto path = description_->substr(begin + before.size());
  return path.substr(0, path.find(','));
}

// --- sending

// With mutex_ held, as all of this part. False: the socket is full. Anything else that stands in
// the way is told to whoever asked.
bool SpawnClient::try_send(const Outgoing& outgoing) {
  const int descriptor = outgoing.descriptor.get();
  const std::span<const int> sent(&descriptor, outgoing.descriptor ? 1 : 0);
  const int error =
      send_with_descriptors(socket_.get(), &outgoing.request, sizeof(outgoing.request), sent);
  if (error == EAGAIN) return false;
  const auto asked = pending_.find(outgoing.request.request);
  if (error == 0 || asked == pending_.end()) return true;
  wake(asked->second,
       fail(Error::from_errno("send a request to lambda-spawn", error).as(ErrorCode::unavailable)));
  pending_.erase(asked);
  return true;
}

// Behind what waits already of its own kind: a stop must not overtake its start, nor a thaw its
// freeze. But the thaw of a function that is called often must not stand behind hundreds of starts.
void SpawnClient::enqueue(Outgoing outgoing) {
  start_thread();
  const auto operation = outgoing.request.operation;
  const bool ordered = operation == Operation::start || operation == Operation::stop;
  auto& queue = ordered ? outgoing_ : urgent_;
  const bool is_first = urgent_.empty() && outgoing_.empty();
  if (queue.empty() && try_send(outgoing)) return;
  queue.push_back(std::move(outgoing));
  if (!is_first) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto woken = ::write(queued_.get(), &one, sizeof(one));
}

void SpawnClient::send_from(std::deque<Outgoing>& queue) {
  while (!queue.empty() && try_send(queue.front())) queue.pop_front();
}

void SpawnClient::send_queued() {
  send_from(urgent_);
  if (urgent_.empty()) send_from(outgoing_);
}

// Nobody waits for the reply any more. True: it had not even been sent, and will not be.
bool SpawnClient::withdraw(std::uint32_t number) {
  pending_.erase(number);
  const auto is_it = [number](const Outgoing& one) { return one.request.request == number; };
  return std::erase_if(outgoing_, is_it) + std::erase_if(urgent_, is_it) > 0;
}

std::uint32_t SpawnClient::next_number() {
  if (++last_request_ == 0) ++last_request_;
  return last_request_;
}

// --- the thread

void SpawnClient::start_thread() {
  if (!thread_.joinable()) thread_ = std::thread([this] { converse(); });
}

void SpawnClient::on_gone(std::function<void()> action) {
  if (!description_) return;
  const std::lock_guard lock(mutex_);
  on_gone_ = std::move(action);
  start_thread();
}

void SpawnClient::wake(const std::shared_ptr<Pending>& pending, Result<SpawnReply> reply) {
  auto on_loop = [pending, reply = std::move(reply)]() mutable {
    pending->reply = std::move(reply);
    pending->done.set();
  };
  asio::post(pending->executor, std::move(on_loop));
}

void SpawnClient::converse() {
  ::pthread_setname_np(::pthread_self(), "spawn");
  bool full = false;
  while (true) {
    pollfd watched[] = {{socket_.get(), static_cast<short>(full ? POLLIN | POLLOUT : POLLIN), 0},
                        {queued_.get(), POLLIN, 0}};
    if (::poll(watched, 2, -1) < 0) continue;  // EINTR
    if (watched[1].revents != 0) {
      std::uint64_t count = 0;
      [[maybe_unused]] const auto taken = ::read(queued_.get(), &count, sizeof(count));
    }
    {
      const std::lock_guard lock(mutex_);
      send_queued();
      full = !outgoing_.empty() || !urgent_.empty();
    }
    const bool readable = (watched[0].revents & ~POLLOUT) != 0;
    if (readable && !take_reply()) return;
  }
}

// False: lambda-spawn is gone, or we are going.
bool SpawnClient::take_reply() {
  auto reply = receive(socket_.get());
  const std::lock_guard lock(mutex_);
  if (!reply) {
    gone_ = true;
    for (auto& [number, pending] : pending_) wake(pending, reply);
    pending_.clear();
    outgoing_.clear();
    urgent_.clear();
    if (on_gone_ && !closing_) on_gone_();
    return false;
  }
  if (reply->operation == Operation::notice) spdlog::warn("{}", reply->text);
  const auto found = pending_.find(reply->request);
  if (found == pending_.end()) return true;  // posted, or given up
  wake(found->second, std::move(reply));
  pending_.erase(found);
  return true;
}

// --- asking

// A coroutine may be destroyed while it waits: its request goes with it.
class SpawnClient::Withdrawal {
 public:
  Withdrawal(SpawnClient& client, std::uint32_t number) : client_(client), number_(number) {}
  Withdrawal(const Withdrawal&) = delete;
  Withdrawal& operator=(const Withdrawal&) = delete;
  ~Withdrawal() { now(); }
  bool now() {
    if (number_ == 0) return false;
    const std::lock_guard lock(client_.mutex_);
    return client_.withdraw(std::exchange(number_, 0));
  }

 private:
  SpawnClient& client_;
  std::uint32_t number_;
};

Task<Result<SpawnReply>> SpawnClient::request(SpawnRequest request, UniqueFd descriptor,
                                              std::chrono::steady_clock::time_point deadline) {
  if (!description_) co_return fail(Error(description_.error()));
  auto executor = co_await asio::this_coro::executor;
  const auto pending = std::make_shared<Pending>(executor);
  {
    const std::lock_guard lock(mutex_);
    if (gone_) co_return fail(ErrorCode::unavailable, "lambda-spawn has ended: restart the server");
    request.request = next_number();
    pending_.emplace(request.request, pending);
    enqueue(Outgoing{request, std::move(descriptor)});
  }
  Withdrawal withdrawal(*this, request.request);
  co_await pending->done.wait_until(deadline);
  const bool unsent = withdrawal.now();
  if (unsent) {
    co_return fail(ErrorCode::unavailable,
                   "lambda-spawn takes no requests: is it stopped, or the machine overloaded?");
  }
  if (!pending->reply) co_return fail(ErrorCode::timeout, "lambda-spawn did not answer in time");
  auto reply = std::move(*pending->reply);
  if (!reply) co_return fail(std::move(reply.error()));
  if (reply->failed != 0)
    co_return fail(static_cast<ErrorCode>(reply->error_code), "{}", reply->text);
  co_return *reply;
}

void SpawnClient::post(SpawnRequest request) {
  if (!description_) return;
  const std::lock_guard lock(mutex_);
  // Nobody to tell: a lambda-spawn that is gone has taken its sandboxes with it.
  if (gone_) return;
  request.request = next_number();
  enqueue(Outgoing{request, UniqueFd()});
}

}  // namespace lambda::sandbox::native
