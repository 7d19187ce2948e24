// Steps: read_loop takes one report after the other, checks it and its descriptors, and wakes who
// waits for it; everything else sends a command and waits.
#include "sandbox/init/init_channel.h"

#include "base/async_fd.h"
#include "base/background.h"
#include "base/crypto.h"
#include "base/descriptor_message.h"
#include "sandbox/init/protocol.h"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>

namespace lambda::sandbox {
namespace {

using init::Command;
using init::CommandType;
using init::Report;
using init::ReportType;
using TimePoint = InitChannel::TimePoint;

constexpr std::size_t kMaxDescriptors = 4;

struct Received {
  Report report;
  std::vector<UniqueFd> descriptors;
};

bool socket_option_is(int fd, int option, int wanted) {
  int value = 0;
  socklen_t size = sizeof(value);
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

bool is_tcp_socket(int fd) {
  return socket_option_is(fd, SO_DOMAIN, AF_INET) && socket_option_is(fd, SO_TYPE, SOCK_STREAM) &&
         socket_option_is(fd, SO_PROTOCOL, IPPROTO_TCP);
}

bool is_loopback(const sockaddr_in& address, std::uint16_t port) {
  return address.sin_family == AF_INET && address.sin_addr.s_addr == htonl(INADDR_LOOPBACK) &&
         address.sin_port == htons(port);
}

bool is_runtime_listener(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  return is_tcp_socket(fd) && socket_option_is(fd, SO_ACCEPTCONN, 1) &&
         ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
         is_loopback(address, init::kListenPort);
}

bool is_readable_pipe(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) &&
         (::fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
}

// Reading a file of a cgroup never waits.
bool is_cgroup_file(int fd) {
  struct statfs system {};
  return ::fstatfs(fd, &system) == 0 &&
         (system.f_type == CGROUP_SUPER_MAGIC || system.f_type == CGROUP2_SUPER_MAGIC) &&
         (::fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
}

// The peer of a connected socket must be the port that was asked for. Nothing yet: still
// connecting.
enum class Connection { made, pending, refused };
Connection connection_state(int fd, std::uint16_t port) {
  int error = 0;
  socklen_t error_size = sizeof(error);
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size) != 0 || error != 0)
    return Connection::refused;
  sockaddr_in peer{};
  socklen_t size = sizeof(peer);
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0)
    return errno == ENOTCONN ? Connection::pending : Connection::refused;
  return is_loopback(peer, port) ? Connection::made : Connection::refused;
}

enum class ReadState { message, nothing, closed, malformed };

ReadState receive(int socket, Received& received) {
  iovec part{&received.report, sizeof(Report)};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char ancillary[CMSG_SPACE(kMaxDescriptors * sizeof(int))] = {};
  message.msg_control = ancillary;
  message.msg_controllen = sizeof(ancillary);
  const ssize_t size = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0) {
    // ECONNRESET is said once where init ended with a command unread; what it had said before that
    // comes after, and then the end.
    const bool more = errno == EAGAIN || errno == EINTR || errno == ECONNRESET;
    return more ? ReadState::nothing : ReadState::closed;
  }
  received.descriptors = take_descriptors(message);
  if (size == 0) return ReadState::closed;
  if (static_cast<std::size_t>(size) != sizeof(Report)) return ReadState::malformed;
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return ReadState::malformed;
  if (received.report.text[sizeof(Report::text) - 1] != '\0') return ReadState::malformed;
  return ReadState::message;
}

void append_string(std::string& packet, std::string_view text) {
  packet.append(text);
  packet.push_back('\0');
}

// Which argument is the bare word "bootstrap" that init has to look for.
std::int32_t bootstrap_argument(const StartRequest& request) {
  const auto& argv = request.argv;
  if (argv.front() == "bootstrap") return 0;
  const auto wrapper = request.environment.find("AWS_LAMBDA_EXEC_WRAPPER");
  if (wrapper != request.environment.end() && argv.size() > 1 && argv[0] == wrapper->second &&
      argv[1] == "bootstrap") {
    return 1;
  }
  return -1;
}

// Of type start or stem.
Result<std::string> start_packet(const StartRequest& request, CommandType type = CommandType::start,
                                 bool when_filled = false) {
  if (request.argv.empty()) return fail(ErrorCode::invalid, "there is no program to start");
  Command command;
  command.type = type;
  command.open_files = request.open_files;
  command.when_filled = when_filled ? 1 : 0;
  command.bootstrap_argument = bootstrap_argument(request);
  command.arguments = static_cast<std::uint32_t>(request.argv.size());
  command.variables = static_cast<std::uint32_t>(request.environment.size());
  std::string packet(reinterpret_cast<const char*>(&command), sizeof(command));
  append_string(packet, request.working_directory);
  for (const auto& argument : request.argv) append_string(packet, argument);
  for (const auto& [name, value] : request.environment)
    append_string(packet, fmt::format("{}={}", name, value));
  if (packet.size() > init::kMaxCommandBytes || command.arguments > init::kMaxArguments ||
      command.variables > init::kMaxVariables) {
    return fail(ErrorCode::invalid,
                "arguments and environment take {} bytes: at most {} bytes, {} arguments and {} "
                "variables can be given to a function",
                packet.size(), init::kMaxCommandBytes, init::kMaxArguments, init::kMaxVariables);
  }
  const auto strings = std::ptrdiff_t{1} + command.arguments + command.variables;
  if (std::count(packet.begin() + sizeof(Command), packet.end(), '\0') != strings) {
    return fail(ErrorCode::invalid, "an argument or environment variable contains a NUL character");
  }
  return packet;
}

Result<std::string> file_packet(const std::string& name, const std::string& content,
                                std::uint32_t request) {
  Command command;
  command.type = CommandType::file;
  command.request = request;
  std::string packet;
  packet.reserve(sizeof(command) + name.size() + 1 + content.size());
  packet.append(reinterpret_cast<const char*>(&command), sizeof(command));
  append_string(packet, name);
  packet.append(content);
  if (packet.size() <= init::kMaxCommandBytes) return packet;
  wipe(packet);
  return fail(ErrorCode::invalid, "the secret {} is too large for a file", name);
}

}  // namespace

struct InitChannel::Impl : std::enable_shared_from_this<InitChannel::Impl> {
  Impl(LoopExecutor loop, UniqueFd fd) : executor(loop), socket(loop) {
    auto given = give_to(socket, std::move(fd), "the sandbox's control socket");
    if (!given) close(given.error().message());
  }

  LoopExecutor executor;
  asio::posix::basic_stream_descriptor<LoopExecutor> socket;
  std::optional<InitHello> hello;
  AsyncEvent hello_done;
  bool start_asked = false;
  bool started = false;
  AsyncEvent start_done;
  std::optional<std::uint32_t> file_request;  // that waits for its answer
  int file_error = 0;
  AsyncEvent file_done;
  std::optional<ExitStatus> exit;
  AsyncEvent exit_done;
  std::string failure;  // why the channel is closed, once it is
  bool closed = false;

  struct Connect {
    std::uint16_t port = 0;
    UniqueFd socket;
    int error_number = 0;
    AsyncEvent done;
  };
  std::map<std::uint32_t, Connect*> connects;
  std::uint32_t last_request = 0;

  Task<void> read_loop(std::shared_ptr<Impl> self);
  Task<Result<Done>> write_file(const std::string& name, const std::string& content,
                                TimePoint deadline);
  bool take(Received received);
  bool take_hello(Received& received);
  bool take_connect(Received& received);
  void take_exit(const Report& report);
  Result<Done> send(const void* data, std::size_t size);
  Result<Done> ask_to_start(std::string packet);
  void close(std::string why);
  [[nodiscard]] Error gone() const {
    return Error(ErrorCode::sandbox_failed, failure.empty() ? "the sandbox has ended" : failure);
  }
};

Task<void> InitChannel::Impl::read_loop([[maybe_unused]] std::shared_ptr<Impl> self) {
  while (!closed) {
    auto [error] = co_await socket.async_wait(asio::posix::descriptor_base::wait_read, kAsTuple);
    if (error || closed) break;
    Received received;
    const auto state = receive(socket.native_handle(), received);
    if (state == ReadState::nothing) continue;
    if (state == ReadState::closed) {
      close("the sandbox's init has ended");
    } else if (state == ReadState::malformed || !take(std::move(received))) {
      close("the sandbox's init broke its protocol");
    }
  }
}

bool InitChannel::Impl::take(Received received) {
  const Report& report = received.report;
  const bool carries = report.type == ReportType::hello || report.type == ReportType::connected;
  if (!carries && !received.descriptors.empty()) return false;
  switch (report.type) {
    case ReportType::hello:
      return take_hello(received);
    case ReportType::started:
      if (!start_asked || started || exit) return false;
      started = true;
      start_done.set();
      return true;
    case ReportType::connected:
    case ReportType::connect_failed:
      return take_connect(received);
    case ReportType::exited:
      if (!start_asked || exit) return false;
      take_exit(report);
      return true;
    case ReportType::written:
      if (file_request != report.request) return false;
      file_request.reset();
      file_error = report.number;
      file_done.set();
      return true;
    case ReportType::failed:
      close(fmt::format("the sandbox's init cannot {}: {}", report.text,
                        std::strerror(report.number)));
      return true;
  }
  return false;
}

bool InitChannel::Impl::take_hello(Received& received) {
  const auto count = received.descriptors.size();
  if (hello || hello_done.is_set() || (count != 2 && count != 4)) return false;
  if (received.report.number != static_cast<std::int32_t>(init::kProtocolVersion)) return false;
  const int log = received.descriptors[1].get();
  if (!is_runtime_listener(received.descriptors[0].get()) || !is_readable_pipe(log)) return false;
  for (std::size_t i = 2; i < count; ++i) {
    if (!is_cgroup_file(received.descriptors[i].get())) return false;
  }
  ::fcntl(log, F_SETFL, O_NONBLOCK);
  hello.emplace();
  hello->listener = std::move(received.descriptors[0]);
  hello->log = std::move(received.descriptors[1]);
  if (count > 2) {
    hello->memory_peak = std::move(received.descriptors[2]);
    hello->memory_used = std::move(received.descriptors[3]);
  }
  hello_done.set();
  return true;
}

bool InitChannel::Impl::take_connect(Received& received) {
  const bool made = received.report.type == ReportType::connected;
  if (received.descriptors.size() != (made ? 1u : 0u)) return false;
  const auto found = connects.find(received.report.request);
  // Whoever asked may have given up at its deadline.
  if (found == connects.end()) return received.report.request <= last_request;
  if (made && !is_tcp_socket(received.descriptors[0].get())) return false;
  if (made) {
    found->second->socket = std::move(received.descriptors[0]);
  } else {
    found->second->error_number = received.report.number;
  }
  found->second->done.set();
  return true;
}

void InitChannel::Impl::take_exit(const Report& report) {
  exit.emplace();
  if (report.signal != 0) {
    exit->signal = report.signal;
  } else {
    exit->code = report.number;
  }
  exit->out_of_memory = report.out_of_memory != 0;
  exit->detail = report.text;
  start_done.set();
  exit_done.set();
}

Result<Done> InitChannel::Impl::send(const void* data, std::size_t size) {
  if (closed) return fail(gone());
  const ssize_t sent = ::send(socket.native_handle(), data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(size)) return Done{};
  const int error = errno;
  if (error == EAGAIN) {
    return fail(ErrorCode::overloaded, "the sandbox's init does not take commands: try again");
  }
  return fail(Error::from_errno("send a command to the sandbox's init", error)
                  .as(ErrorCode::sandbox_failed));
}

void InitChannel::Impl::close(std::string why) {
  if (closed) return;
  closed = true;
  failure = std::move(why);
  boost::system::error_code ignored;
  socket.close(ignored);
  if (!exit) {
    exit.emplace();
    exit->signal = SIGKILL;
    exit->detail = failure;
  }
  hello_done.set();
  file_done.set();
  start_done.set();
  exit_done.set();
  for (auto& [request, connect] : connects) connect->done.set();
}

InitChannel::InitChannel(LoopExecutor executor, UniqueFd socket)
    : impl_(std::make_shared<Impl>(executor, std::move(socket))) {
  asio::co_spawn(executor, impl_->read_loop(impl_), in_background("the channel to an init"));
}

InitChannel::~InitChannel() {
  close();
}

Result<std::pair<UniqueFd, UniqueFd>> InitChannel::make_pair() {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return fail(Error::from_errno("make a sandbox's control socket"));
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

Result<Done> InitChannel::begin_stem(const UniqueFd& socket, const StartRequest& request) {
  auto packet = start_packet(request, CommandType::stem);
  if (!packet) return fail(std::move(packet.error()));
  if (::send(socket.get(), packet->data(), packet->size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    return fail(Error::from_errno("send a command to the sandbox's init"));
  return Done{};
}

Task<Result<InitHello>> InitChannel::wait_hello(TimePoint deadline) {
  const auto self = impl_;
  if (!co_await self->hello_done.wait_until(deadline)) {
    co_return fail(ErrorCode::timeout, "the sandbox's init did not answer in time");
  }
  if (!self->hello) co_return fail(self->gone());
  InitHello hello = std::move(*self->hello);
  self->hello.reset();
  co_return std::move(hello);
}

// One at a time: the socket takes a few large packets only.
Task<Result<Done>> InitChannel::Impl::write_file(const std::string& name,
                                                 const std::string& content, TimePoint deadline) {
  const auto request = ++last_request;
  auto packet = file_packet(name, content, request);
  if (!packet) co_return fail(std::move(packet.error()));
  file_request = request;
  file_done.reset();
  auto sent = send(packet->data(), packet->size());
  wipe(*packet);
  if (!sent) co_return fail(std::move(sent.error()));
  if (!co_await file_done.wait_until(deadline))
    co_return fail(ErrorCode::timeout, "the secret {} was not written in time", name);
  if (closed) co_return fail(gone());
  if (file_error == 0) co_return Done{};
  co_return fail(ErrorCode::sandbox_failed, "the secret {} cannot be written to {}: {}", name,
                 init::kSecretDirectory, std::strerror(file_error));
}

Task<Result<Done>> InitChannel::start(StartRequest request, TimePoint deadline) {
  const auto self = impl_;
  auto packet = start_packet(request);
  if (!packet) co_return fail(std::move(packet.error()));
  for (const auto& [name, content] : request.files) {
    auto written = co_await self->write_file(name, content, deadline);
    if (!written) co_return fail(std::move(written.error()));
  }
  auto asked = self->ask_to_start(std::move(*packet));
  if (!asked) co_return fail(std::move(asked.error()));
  co_return co_await wait_started(deadline);
}

Result<Done> InitChannel::Impl::ask_to_start(std::string packet) {
  start_asked = true;
  auto sent = send(packet.data(), packet.size());
  wipe(packet);
  return sent;
}

Result<Done> InitChannel::start_when_filled(const StartRequest& request) {
  auto packet = start_packet(request, CommandType::start, true);
  if (!packet) return fail(std::move(packet.error()));
  return impl_->ask_to_start(std::move(*packet));
}

Task<Result<Done>> InitChannel::wait_started(TimePoint deadline) {
  const auto self = impl_;
  if (!co_await self->start_done.wait_until(deadline)) {
    co_return fail(ErrorCode::timeout, "the runtime's process was not started in time");
  }
  if (!self->started && self->closed) co_return fail(self->gone());
  co_return Done{};
}

Task<Result<UniqueFd>> InitChannel::connect(std::uint16_t port, TimePoint deadline) {
  const auto self = impl_;
  Command command;
  command.type = CommandType::connect;
  command.request = ++self->last_request;
  command.port = port;
  Impl::Connect wait;
  auto sent = self->send(&command, sizeof(command));
  if (!sent) co_return fail(std::move(sent.error()));
  self->connects.emplace(command.request, &wait);
  const bool answered = co_await wait.done.wait_until(deadline);
  self->connects.erase(command.request);
  if (!wait.socket) {
    if (self->closed) co_return fail(self->gone());
    if (!answered) co_return fail(ErrorCode::timeout, "connect to port {} inside: no answer", port);
    co_return fail(ErrorCode::unavailable, "nothing listens on port {} inside the sandbox: {}",
                   port, std::strerror(wait.error_number));
  }
  auto state = connection_state(wait.socket.get(), port);
  // Rare: the listener's backlog is full, and the kernel tries again for a while.
  while (state == Connection::pending && std::chrono::steady_clock::now() < deadline) {
    co_await sleep_for(std::chrono::milliseconds(1));
    state = connection_state(wait.socket.get(), port);
  }
  if (state == Connection::made) co_return std::move(wait.socket);
  co_return fail(ErrorCode::unavailable, "port {} inside the sandbox takes no connection", port);
}

void InitChannel::terminate() {
  Command command;
  command.type = CommandType::terminate;
  // A sandbox that is gone needs no signal.
  [[maybe_unused]] const auto sent = impl_->send(&command, sizeof(command));
}

Task<ExitStatus> InitChannel::wait_exit() {
  const auto self = impl_;
  co_await self->exit_done.wait();
  co_return *self->exit;
}

bool InitChannel::exited() const {
  return impl_->exit.has_value();
}

void InitChannel::close() {
  impl_->close("the sandbox was stopped");
}

}  // namespace lambda::sandbox
