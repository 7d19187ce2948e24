#include "egress/system_addresses.h"

#include <algorithm>
#include <cerrno>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>
#include <system_error>

namespace lambda::egress {
namespace {

namespace ip = boost::asio::ip;

std::optional<Address> address_of(const sockaddr* socket_address) {
  if (socket_address == nullptr) return std::nullopt;
  if (socket_address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(socket_address);
    return ip::address_v4(ntohl(v4->sin_addr.s_addr));
  }
  if (socket_address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(socket_address);
    ip::address_v6::bytes_type bytes;
    std::copy_n(v6->sin6_addr.s6_addr, bytes.size(), bytes.begin());
    return ip::address_v6(bytes, v6->sin6_scope_id);
  }
  return std::nullopt;
}

}  // namespace

Result<Addresses> own_addresses() {
  Addresses addresses;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) {
    return fail(ErrorCode::unavailable, "the addresses of this machine cannot be listed: {}",
                std::generic_category().message(errno));
  }
  for (const auto* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if (const auto address = address_of(entry->ifa_addr)) addresses.push_back(*address);
  }
  ::freeifaddrs(first);
  return addresses;
}

Result<Addresses> host_addresses(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* first = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &first);
  if (error != 0)
    return fail(ErrorCode::unavailable, "look up {}: {}", host, ::gai_strerror(error));
  Addresses addresses;
  for (const auto* entry = first; entry != nullptr; entry = entry->ai_next) {
    if (const auto address = address_of(entry->ai_addr)) addresses.push_back(*address);
  }
  ::freeaddrinfo(first);
  if (addresses.empty()) return fail(ErrorCode::unavailable, "look up {}: no address", host);
  return addresses;
}

}  // namespace lambda::egress
