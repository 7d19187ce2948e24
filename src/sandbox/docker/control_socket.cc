#include "sandbox/docker/control_socket.h"

#include "base/async_fd.h"
#include "sandbox/docker/container_request.h"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <utility>

namespace lambda::sandbox::docker {
namespace {

namespace fs = std::filesystem;

// A socket's address holds 107 bytes and a data directory may be deeper: bound through its
// directory's descriptor.
Result<UniqueFd> listen_in(const fs::path& directory) {
  const UniqueFd folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return fail(Error::from_errno("open " + directory.string()));
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail(Error::from_errno("make a control socket"));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = fmt::format("/proc/self/fd/{}/{}", folder.get(), kControlSocket);
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return fail(Error::from_errno("bind a control socket in " + directory.string()));
  // The container's user is not ours. Nobody else on the host gets past the parent directory.
  if (::chmod(path.c_str(), 0666) != 0)
    return fail(Error::from_errno("set the mode of the control socket in " + directory.string()));
  if (::listen(socket.get(), 1) != 0) return fail(Error::from_errno("listen for a sandbox's init"));
  return socket;
}

}  // namespace

ControlSocket::ControlSocket(fs::path directory, UniqueFd listener)
    : directory_(std::move(directory)), listener_(std::move(listener)) {}
ControlSocket::ControlSocket(ControlSocket&& other) noexcept
    : directory_(std::exchange(other.directory_, {})), listener_(std::move(other.listener_)) {}
ControlSocket::~ControlSocket() {
  remove();
}

void ControlSocket::remove() {
  listener_.reset();
  if (directory_.empty()) return;
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
  directory_.clear();
}

Result<ControlSocket> ControlSocket::make(fs::path directory) {
  if (::mkdir(directory.c_str(), 0755) != 0)
    return fail(Error::from_errno("make " + directory.string()).as(ErrorCode::sandbox_failed));
  ControlSocket made(directory, UniqueFd());
  auto listener = listen_in(directory);
  if (!listener) return fail(std::move(listener.error()).as(ErrorCode::sandbox_failed));
  made.listener_ = std::move(*listener);
  return made;
}

Task<Result<UniqueFd>> ControlSocket::accept(std::chrono::steady_clock::time_point deadline) {
  const auto executor = co_await asio::this_coro::executor;
  // Shared with the timer, whose handler may run after this has ended.
  using Descriptor = asio::posix::basic_stream_descriptor<LoopExecutor>;
  const auto waiting = std::make_shared<Descriptor>(executor);
  UniqueFd copy(::fcntl(listener_.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) co_return fail(Error::from_errno("wait for a sandbox's init"));
  auto given = give_to(*waiting, std::move(copy), "a sandbox's control socket");
  if (!given) co_return fail(std::move(given.error()));
  Timer timer(executor, deadline);
  // Closed, not cancelled: a wait that begins after the deadline ends, too.
  auto give_up = [waiting](const boost::system::error_code& error) {
    boost::system::error_code ignored;
    if (!error) waiting->close(ignored);
  };
  timer.async_wait(give_up);
  UniqueFd connection;
  while (!connection) {
    auto [error] = co_await waiting->async_wait(asio::posix::descriptor_base::wait_read, kAsTuple);
    if (error) co_return UniqueFd();
    connection = UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    // The loop may wake without anybody being there: with what came for a descriptor closed before.
    if (!connection && errno != EAGAIN && errno != EINTR)
      co_return fail(Error::from_errno("accept a sandbox's init"));
  }
  timer.cancel();
  remove();
  co_return connection;
}

}  // namespace lambda::sandbox::docker
