#include "server/listeners.h"

#include "base/file_identity.h"

#include <spdlog/fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace lambda::server {
namespace {

http::ListenAddress address_of(std::string host, std::uint16_t port) {
  http::ListenAddress address;
  address.host = std::move(host);
  address.port = port;
  return address;
}

std::string text_of(const http::ListenAddress& address, std::uint16_t port) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", address.host, port) : fmt::format("{}:{}", address.host, port);
}

bool is_loopback(const std::string& host) {
  return host == "::1" || host.starts_with("127.");
}

Result<Done> add(Listeners& listeners, const http::ListenAddress& address) {
  auto socket = http::listen_on(address);
  if (!socket) return fail(std::move(socket.error()));
  const auto port = http::bound_port(socket->get());
  if (listeners.port == 0) listeners.port = port;
  listeners.addresses.push_back(text_of(address, port));
  if (!is_loopback(address.host)) listeners.beyond_loopback.push_back(listeners.addresses.back());
  listeners.sockets.push_back(std::move(*socket));
  return Done{};
}

// Both loopback addresses on one port, or the reason why not. A machine without IPv6 has the first
// alone.
Result<Done> add_loopback(Listeners& listeners, std::uint16_t port) {
  auto first = add(listeners, address_of("127.0.0.1", port));
  if (!first) return first;
  if (port == 0) port = http::bound_port(listeners.sockets.back().get());
  auto second = add(listeners, address_of("::1", port));
  if (!second && second.error().code() == ErrorCode::conflict) return second;
  return Done{};
}

Result<Listeners> open_loopback(std::uint16_t port) {
  Listeners listeners;
  auto added = add_loopback(listeners, port);
  if (!added) return fail(std::move(added.error()));
  return listeners;
}

}  // namespace

Result<Listeners> open_listeners(const Configuration& configuration) {
  if (configuration.listen.empty()) {
    auto standard = open_loopback(80);
    if (standard) return standard;
    auto other = open_loopback(8080);
    if (!other) {
      return fail(
          std::move(other.error()),
          "neither port 80 ({}) nor 8080 can be had; choose one with --listen 127.0.0.1:PORT "
          "(LAMBDA_LISTEN=127.0.0.1:PORT)",
          standard.error().message());
    }
    other->port_reason = standard.error().message();
    return other;
  }
  Listeners listeners;
  for (const auto& address : configuration.listen) {
    auto added = address.host == "localhost" ? add_loopback(listeners, address.port)
                                             : add(listeners, address);
    if (!added) return fail(std::move(added.error()));
  }
  return listeners;
}

std::string local_url(const Listeners& listeners) {
  std::string host = "127.0.0.1";
  if (!listeners.addresses.empty()) {
    const auto& first = listeners.addresses.front();
    host = first.substr(0, first.rfind(':'));
  }
  // Every address is no address to call: loopback is one of them.
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "[::]") host = "[::1]";
  return listeners.port == 80 ? "http://" + host
                              : fmt::format("http://{}:{}", host, listeners.port);
}

std::string exposure(const Listeners& listeners, bool insecure) {
  if (listeners.beyond_loopback.empty()) return {};
  return fmt::format(
      "lambdad listens beyond loopback ({}): functions with an open URL can be called by whoever "
      "reaches it; the control API and all other URLs need a key. Keys over plain HTTP are {} from "
      "there",
      fmt::join(listeners.beyond_loopback, ", "), insecure ? "ACCEPTED (--insecure)" : "refused");
}

Result<Done> open_unix_socket(const std::string& path, unsigned group, Listeners& listeners) {
  std::error_code error;
  const auto directory = std::filesystem::path(path).parent_path();
  std::filesystem::create_directories(directory, error);
  if (error)
    return fail(
        ErrorCode::denied,
        "make {} for the unix socket: {}; choose another with --socket PATH, or --socket none",
        directory.string(), error.message());
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail(Error::from_errno("make a unix socket"));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path)
    return fail(ErrorCode::invalid, "the path of the unix socket is too long: {}", path);
  std::memcpy(name.sun_path, path.data(), path.size());
  const auto* generic = reinterpret_cast<const sockaddr*>(&name);
  // Somebody who answers there is another server; a file without one is left over.
  if (::connect(socket.get(), generic, sizeof name) == 0) {
    return fail(ErrorCode::conflict,
                "another lambdad listens on {}: stop it, or choose --socket PATH", path);
  }
  struct stat there {};
  if (::lstat(path.c_str(), &there) == 0 && !S_ISSOCK(there.st_mode)) {
    return fail(ErrorCode::conflict,
                "{} is there and is no socket: move it away, or choose another --socket PATH",
                path);
  }
  ::unlink(path.c_str());
  socket.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const mode_t before = ::umask(0117);
  const int bound = ::bind(socket.get(), generic, sizeof name);
  const int bind_error = errno;
  ::umask(before);
  if (bound != 0) {
    return fail(Error::from_errno(
        fmt::format("make the unix socket {} (choose another with --socket PATH, or --socket none)",
                    path),
        bind_error));
  }
  if (::chown(path.c_str(), static_cast<uid_t>(-1), group) != 0)
    return fail(Error::from_errno("give " + path + " to its group"));
  if (::stat(path.c_str(), &there) != 0) return fail(Error::from_errno("look at " + path));
  if (::listen(socket.get(), 512) != 0) return fail(Error::from_errno("listen on " + path));
  listeners.unix_socket = std::move(socket);
  listeners.unix_socket_file = file_identity(there);
  return Done{};
}

}  // namespace lambda::server
