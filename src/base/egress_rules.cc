#include "base/egress_rules.h"

#include <spdlog/fmt/ranges.h>

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>

namespace lambda {
namespace {

struct WrittenPrefix {
  std::string_view network;
  std::string_view is;
};

// From IANA's special-purpose registries, and the addresses at which clouds tell a machine its
// credentials. 198.18.0.0/15 is for benchmarks of network devices: what sandboxes have it for is
// never a place on the internet. fd00::/64 is the user-mode network's own.
constexpr WrittenPrefix kForbidden[] = {
    {"0.0.0.0/8", "no place to send anything to"},
    {"127.0.0.0/8", "a loopback address"},
    {"169.254.0.0/16", "link-local, where clouds have their metadata"},
    {"100.100.100.200/32", "a metadata address"},
    {"168.63.129.16/32", "a metadata address"},
    {"192.0.0.192/32", "a metadata address"},
    {kSandboxNetworks, "the sandboxes' own network"},
    {"224.0.0.0/4", "multicast"},
    {"240.0.0.0/4", "reserved or broadcast"},
    {"::/96", "no place to send anything to"},
    {"::ffff:0:0/96", "an IPv4 address in another form"},
    {"64:ff9b:1::/48", "a translation to IPv4 of somebody's own"},
    {"2001::/32", "a tunnel to IPv4"},
    {"2002::/16", "a tunnel to IPv4"},
    {"fd00::/64", "the sandboxes' own network"},
    {kSandboxNetworks6, "the sandboxes' own network"},
    {"fd00:ec2::254/128", "a metadata address"},
    {"fd20:ce::254/128", "a metadata address"},
    {"fe80::/10", "link-local"},
    {"fec0::/10", "site-local"},
    {"ff00::/8", "multicast"},
};
constexpr WrittenPrefix kPrivate[] = {
    {"10.0.0.0/8", "a private address"},
    {"172.16.0.0/12", "a private address"},
    {"192.168.0.0/16", "a private address"},
    {"100.64.0.0/10", "an address of a carrier's own network"},
    {"192.0.0.0/24", "reserved"},
    {"fc00::/7", "a private address"},
};

std::size_t bytes_of(const NetworkPrefix& prefix) {
  return prefix.v6 ? 16 : 4;
}

// Of the byte `index`, what a prefix of so many bits holds fixed.
std::uint8_t mask_of(std::size_t index, unsigned bits) {
  const auto left = static_cast<unsigned>(index * 8);
  if (bits >= left + 8) return 0xff;
  if (bits <= left) return 0;
  return static_cast<std::uint8_t>(0xff << (8 - (bits - left)));
}

NetworkPrefix without_host_bits(NetworkPrefix prefix) {
  for (std::size_t i = 0; i < prefix.address.size(); ++i)
    prefix.address[i] = static_cast<std::uint8_t>(prefix.address[i] & mask_of(i, prefix.bits));
  return prefix;
}

// 10.0.0.0/8 as 64:ff9b::a00:0/104: what a translator on the way would make of it.
NetworkPrefix translated(const NetworkPrefix& v4) {
  NetworkPrefix v6;
  v6.v6 = true;
  v6.bits = static_cast<std::uint8_t>(96 + v4.bits);
  v6.address = {0x00, 0x64, 0xff, 0x9b};
  std::copy_n(v4.address.begin(), 4, v6.address.begin() + 12);
  return v6;
}

std::vector<NamedPrefix> read(std::span<const WrittenPrefix> written) {
  std::vector<NamedPrefix> networks;
  for (const auto& [text, is] : written) {
    const auto network = NetworkPrefix::parse(text).value();
    networks.push_back({network, is});
    if (!network.v6) networks.push_back({translated(network), is});
  }
  return networks;
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

Result<Done> check_reachable(const NetworkPrefix& network) {
  for (const auto& [forbidden, is] : forbidden_networks()) {
    if (!forbidden.contains(network)) continue;
    return fail(ErrorCode::invalid,
                "no function reaches {}: it is {}. Leave it out (docs/egress.md has the list)",
                network.to_string(), is);
  }
  return Done{};
}

}  // namespace

Result<NetworkPrefix> NetworkPrefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  const std::string address(text.substr(0, slash));
  NetworkPrefix prefix;
  prefix.v6 = address.find(':') != std::string::npos;
  prefix.bits = prefix.v6 ? 128 : 32;
  const auto most = prefix.bits;
  bool good =
      ::inet_pton(prefix.v6 ? AF_INET6 : AF_INET, address.c_str(), prefix.address.data()) == 1;
  if (slash != std::string_view::npos) {
    const auto* end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + slash + 1, end, prefix.bits);
    good = good && read.ec == std::errc() && read.ptr == end && prefix.bits <= most;
  }
  if (!good) {
    return fail(ErrorCode::invalid,
                "\"{}\" is no network: write one such as 10.1.0.0/16 or 2001:db8::/32", text);
  }
  if (!prefix.is_sound()) {
    return fail(ErrorCode::invalid,
                "\"{}\" names one address and the size of a network: write {}, or {}/{} for that "
                "address alone",
                text, without_host_bits(prefix).to_string(), address, most);
  }
  return prefix;
}

std::string NetworkPrefix::to_string() const {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(v6 ? AF_INET6 : AF_INET, address.data(), text, sizeof(text));
  return fmt::format("{}/{}", static_cast<const char*>(text), bits);
}

bool NetworkPrefix::contains(const NetworkPrefix& other) const {
  if (other.v6 != v6 || other.bits < bits) return false;
  for (std::size_t i = 0; i < bytes_of(*this); ++i) {
    if ((other.address[i] & mask_of(i, bits)) != address[i]) return false;
  }
  return true;
}

bool NetworkPrefix::is_sound() const {
  return bits <= bytes_of(*this) * 8 && without_host_bits(*this) == *this;
}

Result<EgressRule> parse_egress(std::string_view text) {
  EgressRule rule;
  const auto whole = trimmed(text);
  if (whole == "none") return rule;
  rule.out = true;
  if (whole == "internet") return rule;
  if (whole.empty()) {
    return fail(ErrorCode::invalid,
                "egress names nothing: write none, internet, or networks such as 10.1.0.0/16");
  }
  std::string_view rest = whole;
  while (true) {
    const auto comma = rest.find(',');
    const auto word = trimmed(rest.substr(0, comma));
    auto network = NetworkPrefix::parse(word);
    if (!network) {
      if (word.find_first_of("./:") != std::string_view::npos)
        return fail(std::move(network.error()), "egress");
      return fail(ErrorCode::invalid,
                  "egress: \"{}\" is neither none, nor internet, nor a network such as "
                  "10.1.0.0/16 or 2001:db8::/32{}",
                  word, word == "none" || word == "internet" ? ": that word stands alone" : "");
    }
    if (auto reachable = check_reachable(*network); !reachable)
      return fail(std::move(reachable.error()), "egress");
    if (std::ranges::find(rule.networks, *network) == rule.networks.end())
      rule.networks.push_back(*network);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  if (rule.networks.size() > kMostNetworks) {
    return fail(ErrorCode::invalid,
                "egress: {} networks are more than the {} that one function "
                "may name: write larger ones",
                rule.networks.size(), kMostNetworks);
  }
  return rule;
}

std::string to_string(const EgressRule& rule) {
  if (!rule.out) return "none";
  if (rule.networks.empty()) return "internet";
  std::vector<std::string> texts;
  for (const auto& network : rule.networks) texts.push_back(network.to_string());
  return fmt::format("{}", fmt::join(texts, ","));
}

std::span<const NamedPrefix> forbidden_networks() {
  static const auto networks = read(kForbidden);
  return networks;
}

std::span<const NamedPrefix> private_networks() {
  static const auto networks = read(kPrivate);
  return networks;
}

}  // namespace lambda
