// A sandbox's cable: a veth pair from its network namespace (eth0) to the router's. Nothing of it
// speaks ARP or asks for neighbours: both ends have one hardware address, each sends to "its own",
// and the other end takes it for its. So nothing waits for an answer, and no sandbox can tell
// another's neighbours anything. Laid by the child that sets a sandbox up, before
// it is tight.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "sandbox/uplink/netlink.h"

#include <array>
#include <cstdint>
#include <netinet/in.h>

namespace lambda::sandbox::uplink {

struct Cable {
  // Of the sandboxes' networks: the address is its while it lives. 1 to kMostCables.
  std::uint32_t slot = 0;
  // The router's end. Never used again in the life of a router.
  std::uint32_t interface = 0;
};

inline constexpr std::uint32_t kMostCables = 65'000;
// The first interface of a cable: below are the router's own.
inline constexpr std::uint32_t kFirstCable = 1000;
inline constexpr std::uint32_t kMtu = 65'520;

[[nodiscard]] in_addr address_of(const Cable& cable);
[[nodiscard]] in6_addr address6_of(const Cable& cable);

// `router`: a socket of the router's namespace that nobody else uses. The sandbox's end is in this
// process's network namespace.
Result<Done> lay(const Cable& cable, NetlinkSocket& router);
// The cable that this process's network namespace has, where it has one: both ends, and with them
// all addresses and routes. Takes the kernel some 10 ms.
Result<Done> take_out();

}  // namespace lambda::sandbox::uplink
