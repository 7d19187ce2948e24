// What a function may reach beyond its sandbox, as people write it ("none", "internet",
// "10.1.0.0/16, 2001:db8::/32"), and what no function ever reaches. The command line checks it
// before it packs anything, the server when the deploy has come, and lambda-spawn makes the rules
// of it (sandbox/uplink). Pure; any thread.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lambda {

struct NetworkPrefix {
  std::array<std::uint8_t, 16> address{};  // of IPv4: the first four
  std::uint8_t bits = 0;
  bool v6 = false;

  bool operator==(const NetworkPrefix&) const = default;
  // Errors: invalid, with what would be right.
  static Result<NetworkPrefix> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  // Whether all of `other` lies in it.
  [[nodiscard]] bool contains(const NetworkPrefix& other) const;
  // Whether no bit behind the prefix is set, and the prefix is none too long.
  [[nodiscard]] bool is_sound() const;
};

// So many networks may a function name.
inline constexpr std::size_t kMostNetworks = 32;

struct EgressRule {
  bool out = false;                     // false: nothing but the sandbox's own loopback
  std::vector<NetworkPrefix> networks;  // these alone; none: every public address

  bool operator==(const EgressRule&) const = default;
};

// "none", "internet", or networks, separated by commas. Errors: invalid; a network that nobody may
// reach is one.
[[nodiscard]] Result<EgressRule> parse_egress(std::string_view text);
// One text for what means the same: "10.1.0.0/16,2001:db8::/32".
[[nodiscard]] std::string to_string(const EgressRule& rule);

struct NamedPrefix {
  NetworkPrefix network;
  std::string_view is;  // "a loopback address"
};
// No function reaches these, whatever it names. The machine's own addresses come on top.
[[nodiscard]] std::span<const NamedPrefix> forbidden_networks();
// No part of "internet"; a function may name them.
[[nodiscard]] std::span<const NamedPrefix> private_networks();

// The networks of sandboxes and of their way out; forbidden, too.
inline constexpr std::string_view kSandboxNetworks = "198.18.0.0/15";
inline constexpr std::string_view kSandboxNetworks6 = "fd6c:616d:6264::/48";

}  // namespace lambda
