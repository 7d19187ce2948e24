// Steps: the pair, both ends up -> the router's routes to the sandbox -> the sandbox's addresses ->
// its routes, all of which lead into the cable.
#include "sandbox/uplink/link_pair.h"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <unistd.h>

namespace lambda::sandbox::uplink {
namespace {

constexpr char kInside[] = "eth0";
// The same in every sandbox: the next free one would tell how many had this network namespace
// before. Above what a kernel may put into every network namespace by itself.
constexpr std::uint32_t kInsideIndex = 100;
constexpr std::uint16_t kMake = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
// A machine without IPv6.
constexpr int kNoIpv6[] = {EAFNOSUPPORT, EOPNOTSUPP, EINVAL, EACCES, ENODEV};

// Of both ends. Each sandbox has another: uuid1() and its like take it for the machine's.
std::array<unsigned char, 6> hardware_address_of(const Cable& cable) {
  const auto part = [&cable](unsigned shift) {
    return static_cast<unsigned char>(cable.slot >> shift);
  };
  return {0x02, 0x00, part(24), part(16), part(8), part(0)};
}

ifinfomsg interface_head(std::uint32_t index, unsigned flags) {
  ifinfomsg head{};
  head.ifi_index = static_cast<int>(index);
  head.ifi_flags = flags;
  head.ifi_change = flags;
  return head;
}

void put_interface(NetlinkMessages& messages, const Cable& cable, const std::string& name) {
  messages.put_text(IFLA_IFNAME, name);
  messages.put_number(IFLA_MTU, kMtu);
  const auto address = hardware_address_of(cable);
  messages.put(IFLA_ADDRESS, address.data(), address.size());
}

NetlinkMessages pair_of(const Cable& cable) {
  NetlinkMessages messages;
  messages.begin(RTM_NEWLINK, kMake, interface_head(cable.interface, IFF_UP | IFF_NOARP));
  put_interface(messages, cable, fmt::format("sandbox{}", cable.slot));
  const auto information = messages.open(IFLA_LINKINFO);
  messages.put_text(IFLA_INFO_KIND, "veth");
  const auto data = messages.open(IFLA_INFO_DATA);
  const auto peer = messages.open(VETH_INFO_PEER);
  // An end cannot be up before it has another.
  messages.put_header(interface_head(kInsideIndex, IFF_NOARP));
  put_interface(messages, cable, kInside);
  messages.put_number(IFLA_NET_NS_PID, static_cast<std::uint32_t>(::getpid()));
  messages.close(peer);
  messages.close(data);
  messages.close(information);
  return messages;
}

template <class Address>
void put_route(NetlinkMessages& messages, const Address* to, std::uint32_t interface) {
  rtmsg head{};
  head.rtm_family = sizeof(Address) == sizeof(in_addr) ? AF_INET : AF_INET6;
  head.rtm_dst_len = to == nullptr ? 0 : sizeof(Address) * 8;
  head.rtm_table = RT_TABLE_MAIN;
  head.rtm_protocol = RTPROT_STATIC;
  head.rtm_scope = head.rtm_family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  head.rtm_type = RTN_UNICAST;
  messages.begin(RTM_NEWROUTE, kMake, head);
  if (to != nullptr) messages.put(RTA_DST, to, sizeof(*to));
  messages.put_number(RTA_OIF, interface);
}

template <class Address>
void put_address(NetlinkMessages& messages, const Address& address, std::uint32_t interface) {
  ifaddrmsg head{};
  head.ifa_family = sizeof(Address) == sizeof(in_addr) ? AF_INET : AF_INET6;
  head.ifa_prefixlen = sizeof(Address) * 8;
  head.ifa_flags = IFA_F_NODAD;
  head.ifa_index = interface;
  messages.begin(RTM_NEWADDR, kMake, head);
  messages.put(IFA_LOCAL, &address, sizeof(address));
  messages.put(IFA_ADDRESS, &address, sizeof(address));
}

}  // namespace

in_addr address_of(const Cable& cable) {
  in_addr address{};
  address.s_addr = htonl(0xc613'0000u + cable.slot);  // 198.19.0.0/16
  return address;
}

in6_addr address6_of(const Cable& cable) {
  in6_addr address{};
  ::inet_pton(AF_INET6, "fd6c:616d:6264::", &address);
  const std::uint32_t last = htonl(cable.slot);
  std::copy_n(reinterpret_cast<const unsigned char*>(&last), sizeof(last), address.s6_addr + 12);
  return address;
}

Result<Done> lay(const Cable& cable, NetlinkSocket& router) {
  const auto address = address_of(cable);
  const auto address6 = address6_of(cable);
  if (auto made = router.carry_out(pair_of(cable)); !made)
    return fail(std::move(made.error()), "make the sandbox's cable");
  NetlinkMessages to_it;
  put_route(to_it, &address, cable.interface);
  NetlinkMessages to_it6;
  put_route(to_it6, &address6, cable.interface);
  auto routed = router.carry_out(to_it);
  if (routed) routed = router.carry_out(to_it6, kNoIpv6);
  if (!routed) return fail(std::move(routed.error()), "route to the sandbox");

  auto own = NetlinkSocket::open(NETLINK_ROUTE);
  if (!own) return fail(std::move(own.error()));
  const auto inside = kInsideIndex;
  NetlinkMessages in_it;
  in_it.begin(RTM_NEWLINK, NLM_F_ACK, interface_head(inside, IFF_UP));
  put_address(in_it, address, inside);
  put_route<in_addr>(in_it, nullptr, inside);
  NetlinkMessages in_it6;
  put_address(in_it6, address6, inside);
  put_route<in6_addr>(in_it6, nullptr, inside);
  auto addressed = own->carry_out(in_it);
  if (addressed) addressed = own->carry_out(in_it6, kNoIpv6);
  if (!addressed) return fail(std::move(addressed.error()), "give the sandbox its address");
  return Done{};
}

Result<Done> take_out() {
  const auto inside = ::if_nametoindex(kInside);
  if (inside == 0) return Done{};
  auto own = NetlinkSocket::open(NETLINK_ROUTE);
  if (!own) return fail(std::move(own.error()));
  NetlinkMessages messages;
  messages.begin(RTM_DELLINK, NLM_F_ACK, interface_head(inside, 0));
  if (auto gone = own->carry_out(messages); !gone)
    return fail(std::move(gone.error()), "take out a sandbox's cable");
  return Done{};
}

}  // namespace lambda::sandbox::uplink
