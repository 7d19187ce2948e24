#include "egress/address_rules.h"

#include <algorithm>
#include <array>

namespace lambda::egress {
namespace {

namespace ip = boost::asio::ip;

struct Named {
  std::string_view network;
  std::string_view is;
};

// The first that holds the address counts. From IANA's special-purpose registry, and the addresses
// at which clouds tell a machine its credentials.
constexpr std::array<Named, 18> kRefusedV4 = {{
    {"127.0.0.0/8", "a loopback address"},
    {"169.254.169.254/32", "a metadata address"},
    {"100.100.100.200/32", "a metadata address"},
    {"168.63.129.16/32", "a metadata address"},
    {"192.0.0.192/32", "a metadata address"},
    {"0.0.0.0/8", "an unspecified address"},
    {"10.0.0.0/8", "a private address"},
    {"172.16.0.0/12", "a private address"},
    {"192.168.0.0/16", "a private address"},
    {"100.64.0.0/10", "an address of a carrier's own network"},
    {"169.254.0.0/16", "a link-local address"},
    {"224.0.0.0/4", "a multicast address"},
    {"192.0.0.0/24", "a reserved address"},
    {"192.88.99.0/24", "a reserved address"},
    {"198.18.0.0/15", "a reserved address"},
    {"192.0.2.0/24", "an address for documentation"},
    {"198.51.100.0/24", "an address for documentation"},
    {"203.0.113.0/24", "an address for documentation"},
}};
constexpr std::string_view kReservedV4 = "240.0.0.0/4";

constexpr std::array<Named, 11> kRefusedV6 = {{
    {"::1/128", "a loopback address"},
    {"::/128", "an unspecified address"},
    {"fd00:ec2::254/128", "a metadata address"},
    {"fd20:ce::254/128", "a metadata address"},
    {"fc00::/7", "a private address"},
    {"fe80::/10", "a link-local address"},
    {"fec0::/10", "a site-local address"},
    {"ff00::/8", "a multicast address"},
    {"2001:db8::/32", "an address for documentation"},
    {"3fff::/20", "an address for documentation"},
    {"2002::/16", "an address of 6to4"},
}};
// Teredo, ORCHID and other things that are no place to send anything to.
constexpr std::string_view kProtocolV6 = "2001::/23";
// What is handed out; everything else is reserved, IPv4-compatible addresses among it.
constexpr std::string_view kGlobalV6 = "2000::/3";
constexpr std::string_view kNat64 = "64:ff9b::/96";

// "fe80::1%eth0" is the address fe80::1: with its scope it would equal no other.
ip::address_v6 without_scope(const ip::address_v6& address) {
  return ip::address_v6(address.to_bytes());
}

bool is_in(std::string_view network, const Address& address) {
  const auto parsed = Network::parse(network);
  return parsed && parsed->contains(address);
}

// The IPv4 address behind mapped and NAT64 forms; IPv6 without its scope.
Address undressed(const Address& address) {
  if (!address.is_v6()) return address;
  const auto v6 = without_scope(address.to_v6());
  if (!v6.is_v4_mapped() && !is_in(kNat64, v6)) return v6;
  const auto bytes = v6.to_bytes();
  return ip::address_v4({bytes[12], bytes[13], bytes[14], bytes[15]});
}

template <std::size_t Size>
std::optional<std::string_view> first_of(const std::array<Named, Size>& refused,
                                         const Address& address) {
  const auto found = std::ranges::find_if(
      refused, [&address](const Named& named) { return is_in(named.network, address); });
  if (found == refused.end()) return std::nullopt;
  return found->is;
}

std::optional<std::string_view> special(const Address& address) {
  if (address.is_v4()) {
    if (const auto named = first_of(kRefusedV4, address)) return named;
    if (is_in(kReservedV4, address)) return "a reserved address";
    return std::nullopt;
  }
  if (const auto named = first_of(kRefusedV6, address)) return named;
  if (!is_in(kGlobalV6, address) || is_in(kProtocolV6, address)) return "a reserved address";
  return std::nullopt;
}

}  // namespace

Result<Network> Network::parse(std::string_view text) {
  const std::string given(text);
  const bool v6 = given.find(':') != std::string::npos;
  const auto whole = given.find('/') == std::string::npos ? given + (v6 ? "/128" : "/32") : given;
  boost::system::error_code error;
  const auto wrong_bits = [&given](const std::string& right) {
    return fail(ErrorCode::invalid, "\"{}\" names one address and the size of a network: write {}",
                given, right);
  };
  if (v6) {
    const auto network = ip::make_network_v6(whole, error);
    if (!error && network.canonical() != network)
      return wrong_bits(network.canonical().to_string());
    if (!error) return Network(network);
  } else {
    const auto network = ip::make_network_v4(whole, error);
    if (!error && network.canonical() != network)
      return wrong_bits(network.canonical().to_string());
    if (!error) return Network(network);
  }
  return fail(ErrorCode::invalid, "\"{}\" is not a network such as 10.1.0.0/16 or fd00::/8", given);
}

bool Network::contains(const Address& address) const {
  if (const auto* v4 = std::get_if<V4>(&network_)) {
    return address.is_v4() && V4(address.to_v4(), v4->prefix_length()).canonical() == *v4;
  }
  const auto& v6 = std::get<V6>(network_);
  if (!address.is_v6()) return false;
  return V6(without_scope(address.to_v6()), v6.prefix_length()).canonical() == v6;
}

std::optional<std::string_view> AddressRules::refusal(const Address& address,
                                                      const std::vector<Address>& own) const {
  const auto real = undressed(address);
  if (names(address)) return std::nullopt;
  if (const auto reason = special(real)) return reason;
  const bool mine =
      std::ranges::any_of(own, [&real](const Address& other) { return undressed(other) == real; });
  if (mine) return "an address of this machine";
  return std::nullopt;
}

bool AddressRules::names(const Address& address) const {
  const auto real = undressed(address);
  return std::ranges::any_of(allowed_,
                             [&real](const Network& network) { return network.contains(real); });
}

Error address_refused(const Purpose& purpose, std::string_view host, const Address& address,
                      std::string_view reason) {
  const auto text = address.to_string();
  const auto what = text == host ? text : fmt::format("{} is {}", host, text);
  return Error(ErrorCode::denied,
               fmt::format("{}, {}: {} to public addresses alone, unless the server's {} names "
                           "their network",
                           what, reason, purpose.who_go, purpose.setting));
}

}  // namespace lambda::egress
