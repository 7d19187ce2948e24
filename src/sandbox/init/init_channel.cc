#include "sandbox/init/init_channel.h"

#include "sandbox/init/protocol.h"
#include "sandbox/init/seqpacket.h"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstring>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

namespace lambda::sandbox {

struct InitChannel::Impl {
  explicit Impl(LoopExecutor executor, UniqueFd fd) : control(executor) {
    ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
    control.assign(fd.release());
  }

  struct Connecting {
    AsyncEvent answered;
    UniqueFd socket;
    int error_number = 0;
  };

  asio::posix::basic_stream_descriptor<LoopExecutor> control;
  UniqueFd listener;
  UniqueFd log;
  AsyncEvent greeted;
  AsyncEvent started;
  std::optional<ExitStatus> exit;
  AsyncEvent ended;
  bool closed = false;
  std::uint32_t next_id = 0;
  std::map<std::uint32_t, std::shared_ptr<Connecting>> connecting;

  Task<void> read_loop(std::shared_ptr<Impl> self);
  void handle(std::string_view bytes, std::vector<UniqueFd> descriptors);
  void finish(ExitStatus status);
  bool send(const init::Encoder& message) {
    return init::send_message(control.native_handle(), message.bytes());
  }
};

void InitChannel::Impl::finish(ExitStatus status) {
  if (!exit) exit = std::move(status);
  greeted.set();
  started.set();
  ended.set();
}

Task<void> InitChannel::Impl::read_loop(std::shared_ptr<Impl> self) {
  while (control.is_open()) {
    auto received = init::receive_message(control.native_handle(), init::kMaxMessage);
    std::vector<UniqueFd> descriptors;
    for (const int fd : received.descriptors) descriptors.emplace_back(fd);
    if (received.kind == init::Received::Kind::message) {
      handle(received.bytes, std::move(descriptors));
      continue;
    }
    if (received.kind != init::Received::Kind::again) break;
    auto [error] = co_await control.async_wait(asio::posix::descriptor_base::wait_read, kAsTuple);
    if (error) break;
  }
  closed = true;
  for (auto& [id, waiting] : connecting) {
    waiting->error_number = ECONNRESET;
    waiting->answered.set();
  }
  ExitStatus status;
  status.signal = 9;
  status.detail = "the sandbox ended";
  finish(std::move(status));
}

void InitChannel::Impl::handle(std::string_view bytes, std::vector<UniqueFd> descriptors) {
  init::Decoder message(bytes);
  switch (message.type()) {
    case init::Type::hello:
      if (message.number() == init::kVersion && descriptors.size() == 2 && !greeted.is_set()) {
        listener = std::move(descriptors[0]);
        log = std::move(descriptors[1]);
        ::fcntl(log.get(), F_SETFL, O_NONBLOCK);
        greeted.set();
      }
      break;
    case init::Type::started:
      started.set();
      break;
    case init::Type::connected:
    case init::Type::refused: {
      const auto found = connecting.find(message.number());
      if (found == connecting.end()) break;
      if (message.type() == init::Type::refused) {
        found->second->error_number = static_cast<int>(message.number());
      } else if (descriptors.size() == 1) {
        found->second->socket = std::move(descriptors[0]);
      } else {
        found->second->error_number = EPROTO;
      }
      found->second->answered.set();
      break;
    }
    case init::Type::exited: {
      const auto how = static_cast<init::Ending>(message.number());
      const int value = static_cast<int>(message.number());
      ExitStatus status;
      status.detail = message.text();
      if (!message.ok()) break;
      if (how == init::Ending::signal) {
        status.signal = value;
      } else {
        status.code = how == init::Ending::not_started ? 127 : value;
      }
      finish(std::move(status));
      break;
    }
    default:
      break;
  }
}

InitChannel::InitChannel(LoopExecutor executor, UniqueFd control)
    : impl_(std::make_shared<Impl>(executor, std::move(control))) {
  asio::co_spawn(executor, impl_->read_loop(impl_), asio::detached);
}

InitChannel::~InitChannel() {
  boost::system::error_code ignored;
  impl_->control.close(ignored);
}

Task<Result<Done>> InitChannel::start(const SandboxSpec& spec,
                                      std::chrono::steady_clock::time_point deadline) {
  const auto impl = impl_;
  init::Encoder message(init::Type::start);
  message.texts(spec.argv);
  std::vector<std::string> environment;
  for (const auto& [name, value] : spec.environment) environment.push_back(name + "=" + value);
  message.texts(environment);
  message.text(spec.working_directory);
  message.number(spec.open_files);
  if (message.bytes().size() > init::kMaxMessage) {
    co_return fail(ErrorCode::invalid,
                   "the environment and arguments of {} have more than {} KB together",
                   spec.function, init::kMaxMessage / 1024);
  }
  co_await impl->greeted.wait_until(deadline);
  if (impl->ended.is_set())
    co_return fail(ErrorCode::sandbox_failed, "the sandbox ended before its init was ready");
  if (!impl->greeted.is_set())
    co_return fail(ErrorCode::timeout, "the sandbox's init was not ready in time");
  if (!impl->send(message))
    co_return fail(
        Error::from_errno("tell the sandbox's init what to start").as(ErrorCode::sandbox_failed));
  co_await impl->started.wait_until(deadline);
  if (!impl->started.is_set())
    co_return fail(ErrorCode::timeout, "the runtime's process was not started in time");
  co_return Done{};
}

UniqueFd InitChannel::take_runtime_listener() {
  return std::move(impl_->listener);
}
UniqueFd InitChannel::take_log() {
  return std::move(impl_->log);
}

Task<Result<UniqueFd>> InitChannel::connect(std::uint16_t port) {
  const auto impl = impl_;
  if (impl->closed) co_return fail(ErrorCode::sandbox_failed, "the sandbox has ended");
  const auto id = ++impl->next_id;
  auto waiting = std::make_shared<Impl::Connecting>();
  impl->connecting[id] = waiting;
  init::Encoder message(init::Type::connect);
  message.number(id);
  message.number(port);
  if (!impl->send(message)) {
    impl->connecting.erase(id);
    co_return fail(
        Error::from_errno("ask the sandbox for a connection").as(ErrorCode::sandbox_failed));
  }
  co_await waiting->answered.wait_until(std::chrono::steady_clock::now() + std::chrono::seconds(2));
  impl->connecting.erase(id);
  if (waiting->socket) co_return std::move(waiting->socket);
  if (impl->closed) co_return fail(ErrorCode::sandbox_failed, "the sandbox has ended");
  const char* reason =
      waiting->error_number == 0 ? "no answer" : ::strerrordesc_np(waiting->error_number);
  co_return fail(ErrorCode::unavailable, "port {} inside the sandbox: {}", port, reason);
}

void InitChannel::terminate() {
  if (!impl_->closed) impl_->send(init::Encoder(init::Type::terminate));
}

Task<ExitStatus> InitChannel::wait_exit() {
  const auto impl = impl_;
  co_await impl->ended.wait();
  co_return *impl->exit;
}

}  // namespace lambda::sandbox
