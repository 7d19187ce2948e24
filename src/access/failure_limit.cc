#include "access/failure_limit.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <netinet/in.h>

namespace lambda::access {

std::string network_of(const std::string& address) {
  in6_addr v6{};
  auto plain = address.substr(0, address.find('%'));  // without the interface of a link
  if (::inet_pton(AF_INET6, plain.c_str(), &v6) != 1) return address;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    ::inet_ntop(AF_INET, &v6.s6_addr[12], text.data(), text.size());
    return text.data();
  }
  if (IN6_IS_ADDR_LOOPBACK(&v6)) return plain;
  std::fill(&v6.s6_addr[8], &v6.s6_addr[16], std::uint8_t{0});
  ::inet_ntop(AF_INET6, &v6, text.data(), text.size());
  return std::string(text.data()) + "/64";
}

bool FailureLimit::note(const http::Peer& peer) {
  if (peer.unix_uid) return true;
  auto network = network_of(peer.address);
  const auto now = clock_.steady_now();
  const std::lock_guard guard(mutex_);
  if (const auto known = by_network_.find(network); known != by_network_.end()) {
    entries_.splice(entries_.begin(), entries_, known->second);
  } else {
    if (entries_.size() == kMostAddresses) {
      by_network_.erase(entries_.back().network);
      entries_.pop_back();
    }
    entries_.push_front(Entry{network, kFailuresAtOnce, now});
    by_network_.emplace(std::move(network), entries_.begin());
  }
  auto& entry = entries_.front();
  const std::chrono::duration<double> since = now - entry.at;
  entry.left = std::min<double>(kFailuresAtOnce, entry.left + since / kFailurePause);
  entry.at = now;
  if (entry.left < 1) return false;
  entry.left -= 1;
  return true;
}

std::size_t FailureLimit::addresses() const {
  const std::lock_guard guard(mutex_);
  return entries_.size();
}

}  // namespace lambda::access
