// listen_on: binding a listening socket, and words for why it cannot be had.
#include "http/server.h"

#include <arpa/inet.h>
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

// The inode of a socket that listens on `port`, from /proc/net/tcp and tcp6.
std::string listening_inode(std::uint16_t port) {
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
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
std::string holder_of(std::uint16_t port) {
  const std::string inode = listening_inode(port);
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
  if (error_number == EADDRINUSE) {
    const std::string holder = holder_of(address.port);
    return Error(ErrorCode::conflict,
                 fmt::format("port {} of {} is in use{}", address.port, address.host,
                             holder.empty() ? "" : " by " + holder));
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
  auto parsed = parse_address(address);
  if (!parsed) return fail(std::move(parsed.error()));
  const int family = parsed->storage.ss_family;
  UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail(Error::from_errno(fmt::format("make a socket for {}", address.host)));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
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

}  // namespace lambda::http
