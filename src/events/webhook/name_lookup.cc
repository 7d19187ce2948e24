#include "events/webhook/name_lookup.h"

#include "http/client.h"

#include <boost/asio/ip/tcp.hpp>

#include <algorithm>
#include <cerrno>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <system_error>
#include <utility>

namespace lambda::events {
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

Result<std::vector<Address>> own_addresses() {
  std::vector<Address> addresses;
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

Result<std::vector<Address>> ask_dns(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* first = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &first);
  if (error != 0)
    return fail(ErrorCode::unavailable, "look up {}: {}", host, ::gai_strerror(error));
  std::vector<Address> addresses;
  for (const auto* entry = first; entry != nullptr; entry = entry->ai_next) {
    if (const auto address = address_of(entry->ai_addr)) addresses.push_back(*address);
  }
  ::freeaddrinfo(first);
  if (addresses.empty()) return fail(ErrorCode::unavailable, "look up {}: no address", host);
  return addresses;
}

Result<NameLookup::Found> look_up(const std::string& host) {
  NameLookup::Found found;
  auto own = own_addresses();
  if (!own) return fail(std::move(own.error()));
  found.own = std::move(*own);
  boost::system::error_code no_address;
  const auto address = ip::make_address(host, no_address);
  if (!no_address) {
    found.addresses = {address};
    return found;
  }
  if (http::is_localhost(host)) {
    found.addresses = {ip::address_v4::loopback()};
    return found;
  }
  auto asked = ask_dns(host);
  if (!asked) return fail(std::move(asked.error()));
  found.addresses = std::move(*asked);
  return found;
}

}  // namespace

struct NameLookup::Pending {
  AsyncEvent done;
  Result<Found> found = fail(ErrorCode::internal, "the look-up has not ended");
};

std::shared_ptr<NameLookup::Pending> NameLookup::begin(const std::string& host,
                                                       LoopExecutor executor) {
  if (const auto known = running_->find(host); known != running_->end()) return known->second;
  auto pending = std::make_shared<Pending>();
  running_->emplace(host, pending);
  pool_.post([host, executor, pending, running = running_] {
    auto found = look_up(host);
    asio::post(executor, [host, pending, running, found = std::move(found)]() mutable {
      pending->found = std::move(found);
      running->erase(host);
      pending->done.set();
    });
  });
  return pending;
}

Task<Result<NameLookup::Found>> NameLookup::find(std::string host, SteadyTime deadline) {
  const auto pending = begin(host, co_await asio::this_coro::executor);
  if (!co_await pending->done.wait_until(deadline))
    co_return fail(ErrorCode::timeout, "look up {}: no answer from DNS in time", host);
  co_return pending->found;
}

}  // namespace lambda::events
