// listen_on: binding a listening socket, and words for why it cannot be had.
#include "http/server.h"

#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <dirent.h>
#include <fstream>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace lambda::http {
namespace {

constexpr int kBacklog = 4096;

// The inode of a socket that listens on `port`. A socket for every IPv6 address holds the port of
// IPv4 too, but not the other way round.
std::string listening_inode(const ListenAddress& address) {
  const std::uint16_t port = address.port;
  const bool v6 = address.host.find(':') != std::string::npos;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    if (v6 && std::string_view(table) == "/proc/net/tcp") continue;
    std::ifstream file(table);
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
      std::istringstream fields(line);
      std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
      fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >>
          timeout >> inode;
      const auto colon = local.rfind(':');
      if (state != "0A" || colon == std::string::npos) continue;
      if (std::stoul(local.substr(colon + 1), nullptr, 16) == port) return inode;
    }
  }
  return {};
}

// "nginx (pid 812)", or "" where /proc does not show it.
std::string holder_of(const ListenAddress& address) {
  const std::string inode = listening_inode(address);
  if (inode.empty()) return {};
  const std::string wanted = "socket:[" + inode + "]";
  DIR* processes = ::opendir("/proc");
  if (processes == nullptr) return {};
  std::string found;
  while (const dirent* process = ::readdir(processes)) {
    const std::string pid = process->d_name;
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string directory = "/proc/" + pid + "/fd";
    DIR* descriptors = ::opendir(directory.c_str());
    if (descriptors == nullptr) continue;
    while (const dirent* descriptor = ::readdir(descriptors)) {
      char target[64] = {};
      const auto length =
          ::readlink((directory + "/" + descriptor->d_name).c_str(), target, sizeof target - 1);
      if (length > 0 && wanted == target) {
        std::ifstream name_file("/proc/" + pid + "/comm");
        std::string name;
        std::getline(name_file, name);
        found = fmt::format("{} (pid {})", name, pid);
        break;
      }
    }
    ::closedir(descriptors);
    if (!found.empty()) break;
  }
  ::closedir(processes);
  return found;
}

Error bind_error(const ListenAddress& address, int error_number) {
  if (!address.unix_path.empty()) {
    auto error = Error::from_errno("listen on " + address.unix_path, error_number);
    return error_number == EADDRINUSE ? std::move(error).as(ErrorCode::conflict) : error;
  }
  if (error_number == EADDRINUSE) {
    const std::string holder = holder_of(address);
    return Error(
        ErrorCode::conflict,
        fmt::format("port {} of {} is in use by {}", address.port, address.host,
                    holder.empty() ? "a program that only root can name (`ss -ltnp`)" : holder));
  }
  if (error_number == EACCES) {
    return Error(ErrorCode::denied,
                 fmt::format("port {} of {} needs root (or CAP_NET_BIND_SERVICE)", address.port,
                             address.host));
  }
  if (error_number == EADDRNOTAVAIL) {
    return Error(ErrorCode::invalid, fmt::format("this machine has no address {}", address.host));
  }
  return Error::from_errno(fmt::format("listen on {} port {}", address.host, address.port),
                           error_number);
}

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

Result<SocketAddress> parse_address(const ListenAddress& address) {
  SocketAddress parsed;
  if (!address.unix_path.empty()) {
    auto* local = reinterpret_cast<sockaddr_un*>(&parsed.storage);
    if (address.unix_path.size() >= sizeof local->sun_path) {
      return fail(ErrorCode::invalid, "the socket path {} is longer than {} characters",
                  address.unix_path, sizeof local->sun_path - 1);
    }
    local->sun_family = AF_UNIX;
    address.unix_path.copy(local->sun_path, address.unix_path.size());
    parsed.length = sizeof *local;
    return parsed;
  }
  auto* v4 = reinterpret_cast<sockaddr_in*>(&parsed.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&parsed.storage);
  if (::inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    parsed.length = sizeof *v4;
    return parsed;
  }
  if (::inet_pton(AF_INET6, address.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    parsed.length = sizeof *v6;
    return parsed;
  }
  return fail(ErrorCode::invalid, "\"{}\" is not an IP address to listen on", address.host);
}

}  // namespace

Result<UniqueFd> listen_on(const ListenAddress& address) {
  const std::string name = address.unix_path.empty() ? address.host : address.unix_path;
  auto parsed = parse_address(address);
  if (!parsed) return fail(std::move(parsed.error()));
  const int family = parsed->storage.ss_family;
  UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail(Error::from_errno("make a socket for " + name));
  const int on = 1;
  if (family != AF_UNIX) ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&parsed->storage), parsed->length) !=
      0) {
    return fail(bind_error(address, errno));
  }
  if (::listen(socket.get(), kBacklog) != 0) return fail(bind_error(address, errno));
  return socket;
}

std::uint16_t bound_port(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return 0;
  if (storage.ss_family == AF_INET)
    return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
  if (storage.ss_family == AF_INET6)
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
  return 0;
}

namespace {

void fill_credentials(int fd, Peer& peer) {
  peer.loopback = true;
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return;
  peer.unix_uid = credentials.uid;
  peer.unix_gid = credentials.gid;
  peer.unix_pid = credentials.pid;
}

}  // namespace

Peer peer_of(int fd) {
  Peer peer;
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return peer;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (storage.ss_family == AF_UNIX) {
    fill_credentials(fd, peer);
    return peer;
  }
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    peer.port = ntohs(v4.sin_port);
    peer.loopback = (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
  } else if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    peer.port = ntohs(v6.sin6_port);
    peer.loopback = IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
  }
  peer.address = text.data();
  peer.local_port = bound_port(fd);
  return peer;
}

}  // namespace lambda::http
