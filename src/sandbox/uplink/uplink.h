// Uplink: the sandboxes' way out, whole: the router's namespace with its packet rules, who carries
// packets out of it, the machine's addresses, and which sandbox has which cable.
//
//   sandbox -- cable --> router's namespace -- wayout --> slirp4netns -- sockets --> the machine
//
// Made before lambda-spawn leaves the machine's mounts; from then on lambda-spawn's network is the
// router's. All of it ends with this process, however that ends. One thread.
#pragma once

#include "base/blocking.h"
#include "base/egress_rules.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "sandbox/uplink/link_pair.h"
#include "sandbox/uplink/machine_addresses.h"
#include "sandbox/uplink/netlink.h"
#include "sandbox/uplink/packet_rules.h"
#include "sandbox/uplink/router_namespace.h"
#include "sandbox/uplink/slirp_process.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <sys/types.h>

namespace lambda::sandbox::uplink {

class Uplink {
 public:
  using Clock = std::chrono::steady_clock;

  Uplink() = default;
  // `owner`: a user that nobody else on the machine is. Where it fails, this process's network may
  // be the machine's still. Errors: unavailable, with what to do.
  static Result<Uplink> open(uid_t owner, Limits limits = Limits::all);

  // A cable for a sandbox, and a socket with which its child lays it; starts what carries packets
  // out, where it does not run yet. `interface`: see Cable.
  Result<Cable> take_cable(std::uint32_t sandbox);
  static Result<NetlinkSocket> router_socket();
  // Until then nothing passes.
  Result<Done> grant(const Cable& cable, const EgressRule& rule);
  // Nothing passes any more. The address is another's only much later.
  void take_back(const Cable& cable);

  // To be watched: readable when the machine's addresses may have changed.
  [[nodiscard]] int addresses_fd() const { return addresses_.fd(); }
  // Takes over what changed. What went wrong, in words; "" where all is well.
  std::string addresses_changed();
  // Of what carries packets out; -1 where none runs. Readable when it ended: carrier_ended().
  [[nodiscard]] int carrier_fd() const { return carrier_.pidfd.get(); }
  std::string carrier_ended();
  // When retry() has something to do.
  [[nodiscard]] std::optional<Clock::time_point> next_try() const { return next_try_; }
  std::string retry();

 private:
  Result<Done> start_carrier();
  void stop_carrier();
  Result<Done> read_addresses();

  std::string program_;
  MachineNamespaces machine_;
  MachineAddresses addresses_;
  RouterNamespace router_;
  PacketRules rules_;
  SlirpProcess carrier_;
  bool wanted_ = false;  // a sandbox had a cable once
  bool closed_ = false;  // the machine's addresses are not known
  bool open_ = false;    // and yet the rules let packets through: nobody may carry them
  std::chrono::milliseconds pause_{0};
  std::chrono::milliseconds pause_of_addresses_{0};
  Clock::time_point carrier_began_{};
  std::optional<Clock::time_point> next_try_;
  std::set<std::uint32_t> slots_;
  std::uint32_t last_slot_ = 0;
};

}  // namespace lambda::sandbox::uplink
