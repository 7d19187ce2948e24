// What the kernel says over netlink about the network namespace that the calling thread is in.
// Blocking; any thread.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lambda::sandbox::native {

// One list of the kernel's (`ip link`, `ip route`, ...), and what of an entry does not change by
// itself.
struct RouteList {
  std::uint16_t get = 0;  // RTM_GET...
  unsigned char family = 0;
  std::size_t header = 0;           // bytes before an entry's attributes
  std::vector<std::uint16_t> only;  // attributes; empty: all,
  std::vector<std::uint16_t> but;   // but these
};

// An entry each, header and attributes, sorted.
Result<std::vector<std::string>> dump_routes(const RouteList& list);

// How many nftables there are; 0 too where this kernel has none.
Result<std::size_t> count_nftables();

}  // namespace lambda::sandbox::native
