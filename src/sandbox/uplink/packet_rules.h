// What may pass between the sandboxes' cables and the way out: one nftables table, `inet lambda`,
// in the router's network namespace. Nothing passes that no rule lets through.
//
//   forward   from the way out: answers alone, and only to the sandbox whose connection it is
//             to a sandbox, from a sandbox: never
//             by cable and source address (the map `policies4`, `policies6`): on to a policy;
//             an address that is not the cable's own has none
//   policy    `internet4/6`, or one of its own for every list of networks that is in use:
//             `limits` first, then what it allows, then a refusal
//             `beginning` first: the connection is this cable's, and one of a bounded number
//   limits    the resolver, and what nobody reaches: the machine's own addresses (the sets
//             `machine4/6`), and the constant networks of base/egress_rules.h
//
//   refusal   a reset, or an ICMP message: who is refused knows at once
//   input     the router itself answers nobody
//
// One thread.
#pragma once

#include "base/egress_rules.h"
#include "base/result.h"
#include "sandbox/uplink/link_pair.h"
#include "sandbox/uplink/netlink.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lambda::sandbox::uplink {

// `none`: everything passes, between sandboxes, too. For a test that shows what the limits hold
// (native/walls.h).
enum class Limits { all, none };

class PacketRules {
 public:
  PacketRules() = default;
  // The table with everything in it but policies of cables; the machine's addresses are not known
  // yet, so all is closed. In this process's network namespace.
  static Result<PacketRules> make(std::uint32_t way_out, Limits limits);

  // From now on packets from this cable follow `rule`.
  Result<Done> grant(const Cable& cable, const EgressRule& rule);
  // From now on they are dropped again. Nothing where it was granted nothing.
  Result<Done> revoke(const Cable& cable);
  Result<Done> set_machine_addresses(const std::vector<NetworkPrefix>& addresses);
  // Nothing passes until they are set again.
  Result<Done> close();

 private:
  struct Policy {
    std::uint32_t number = 0;  // 0: internet
    std::size_t users = 0;
  };
  Result<Done> commit(const NetlinkMessages& messages);

  NetlinkSocket socket_;
  std::map<std::string, Policy> policies_;      // by the text of their rule
  std::map<std::uint32_t, std::string> rules_;  // of cables that have one, by interface
  std::uint32_t last_policy_ = 0;
};

}  // namespace lambda::sandbox::uplink
