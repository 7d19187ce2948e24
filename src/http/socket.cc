#include "http/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace lambda::http {

Result<Done> assign(Socket& socket, UniqueFd fd) {
  int family = 0;
  socklen_t length = sizeof family;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_DOMAIN, &family, &length) != 0) {
    return fail(Error::from_errno("take over a connection"));
  }
  if (family != AF_UNIX) {
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  boost::system::error_code error;
  const asio::generic::stream_protocol protocol(family, 0);
  socket.assign(protocol, fd.get(), error);
  if (error) return fail(ErrorCode::internal, "take over a connection: {}", error.message());
  static_cast<void>(fd.release());
  socket.non_blocking(true, error);
  return Done{};
}

void close_socket(Socket& socket) {
  boost::system::error_code ignored;
  if (socket.is_open()) socket.shutdown(asio::socket_base::shutdown_both, ignored);
  socket.close(ignored);
}

void cancel_waits(Socket& socket) {
  boost::system::error_code ignored;
  socket.cancel(ignored);
}

Error stream_error(const boost::system::error_code& error, bool expired, std::string_view what) {
  if (expired) {
    return Error(ErrorCode::timeout,
                 fmt::format("{}: the other side was silent too long, or too slow", what));
  }
  if (error == asio::error::eof || error == asio::error::connection_reset ||
      error == asio::error::broken_pipe) {
    return Error(ErrorCode::unavailable,
                 fmt::format("{}: the other side ended the connection", what));
  }
  return Error(ErrorCode::unavailable, fmt::format("{}: {}", what, error.message()));
}

std::size_t send_at_once(Socket& socket, std::string_view first, std::string_view second) {
  std::array<iovec, 2> pieces{};
  pieces[0].iov_base = const_cast<char*>(first.data());  // sendmsg(2) does not write to it
  pieces[0].iov_len = first.size();
  pieces[1].iov_base = const_cast<char*>(second.data());
  pieces[1].iov_len = second.size();
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  const auto sent = ::sendmsg(socket.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

}  // namespace lambda::http
