#include "sandbox/uplink/machine_addresses.h"

#include <algorithm>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace lambda::sandbox::uplink {
namespace {

struct Kind {
  unsigned char family;
  unsigned char type;
};
constexpr Kind kOwn[] = {
    {AF_INET, RTN_LOCAL}, {AF_INET, RTN_BROADCAST}, {AF_INET6, RTN_LOCAL}, {AF_INET6, RTN_ANYCAST}};
// A list that changes while it is read is read again.
constexpr int kReadings = 20;

bool is_own(unsigned char type) {
  return type == RTN_LOCAL || type == RTN_BROADCAST || type == RTN_ANYCAST;
}

NetworkPrefix destination_of(const nlmsghdr& message) {
  const auto& route = *static_cast<const rtmsg*>(NLMSG_DATA(&message));
  NetworkPrefix network;
  network.v6 = route.rtm_family == AF_INET6;
  network.bits = route.rtm_dst_len;
  for_attributes(message, sizeof(rtmsg), [&](std::uint16_t type, std::span<const char> value) {
    if (type == RTA_DST)
      std::copy_n(value.begin(), std::min<std::size_t>(value.size(), 16),
                  reinterpret_cast<char*>(network.address.data()));
  });
  return network;
}

}  // namespace

Result<MachineAddresses> MachineAddresses::watch() {
  MachineAddresses addresses;
  for (auto* socket : {&addresses.changes_, &addresses.questions_}) {
    auto opened = NetlinkSocket::open(NETLINK_ROUTE);
    if (!opened) return fail(std::move(opened.error()));
    *socket = std::move(*opened);
  }
  for (const int group :
       {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR}) {
    if (::setsockopt(addresses.changes_.fd(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
                     sizeof(group)) != 0)
      return fail(Error::from_errno("watch the machine's addresses"));
  }
  return addresses;
}

bool MachineAddresses::changed() {
  bool other = false;
  const bool whole = changes_.drain([&other](const nlmsghdr& message) {
    if (message.nlmsg_type == RTM_NEWADDR || message.nlmsg_type == RTM_DELADDR) other = true;
    if (message.nlmsg_type != RTM_NEWROUTE && message.nlmsg_type != RTM_DELROUTE) return;
    if (is_own(static_cast<const rtmsg*>(NLMSG_DATA(&message))->rtm_type)) other = true;
  });
  return other || !whole;
}

Result<std::vector<NetworkPrefix>> MachineAddresses::now() {
  std::vector<NetworkPrefix> networks;
  Result<Done> read = Done{};
  for (int reading = 0; reading < kReadings; ++reading) {
    networks.clear();
    read = Done{};
    for (const auto& [family, type] : kOwn) {
      rtmsg head{};
      head.rtm_family = family;
      head.rtm_type = type;
      NetlinkMessages request;
      request.begin(RTM_GETROUTE, NLM_F_DUMP, head);
      auto listed = questions_.list(request, [&](const nlmsghdr& message) {
        // A kernel that does not select lists all.
        if (message.nlmsg_type != RTM_NEWROUTE) return;
        if (!is_own(static_cast<const rtmsg*>(NLMSG_DATA(&message))->rtm_type)) return;
        networks.push_back(destination_of(message));
      });
      if (!listed) read = std::move(listed);
    }
    if (read) return networks;
  }
  return fail(std::move(read.error()), "list the machine's addresses");
}

}  // namespace lambda::sandbox::uplink
