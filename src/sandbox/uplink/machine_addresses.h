// The machine's own addresses, as its routing tables have them: everything that the machine takes
// for itself, broadcast and anycast included, also networks that were routed to it as a whole. Made
// in the machine's network namespace, before lambda-spawn leaves it; stays there. One thread.
#pragma once

#include "base/egress_rules.h"
#include "base/result.h"
#include "sandbox/uplink/netlink.h"

#include <vector>

namespace lambda::sandbox::uplink {

class MachineAddresses {
 public:
  MachineAddresses() = default;
  // Errors: unavailable.
  static Result<MachineAddresses> watch();

  // Readable when something may have changed.
  [[nodiscard]] int fd() const { return changes_.fd(); }
  // Takes what is there to read. True: the addresses may be others than before.
  bool changed();
  Result<std::vector<NetworkPrefix>> now();

 private:
  NetlinkSocket changes_;
  NetlinkSocket questions_;
};

}  // namespace lambda::sandbox::uplink
