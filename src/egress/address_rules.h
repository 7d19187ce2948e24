// Which addresses the server may talk to for somebody else (webhooks, builds): public ones, and the
// networks that its configuration names. Without this whoever may configure or deploy a function
// could make the server talk to what only the server reaches: itself, its neighbours, the cloud's
// metadata. Pure; immutable, any thread.
#pragma once

#include "base/result.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace lambda::egress {

using Address = boost::asio::ip::address;

class Network {
 public:
  // "10.1.0.0/16", "fd00::/8"; an address alone is a network of one. Errors: invalid.
  static Result<Network> parse(std::string_view text);
  [[nodiscard]] bool contains(const Address& address) const;

 private:
  using V4 = boost::asio::ip::network_v4;
  using V6 = boost::asio::ip::network_v6;
  explicit Network(V4 network) : network_(network) {}
  explicit Network(V6 network) : network_(network) {}
  std::variant<V4, V6> network_;
};

class AddressRules {
 public:
  explicit AddressRules(std::vector<Network> allowed = {}) : allowed_(std::move(allowed)) {}

  // What speaks against it ("a private address"), or nothing. `own`: this machine's addresses. An
  // IPv4 address in the clothes of IPv6 (mapped, NAT64) is judged as the IPv4 address.
  [[nodiscard]] std::optional<std::string_view> refusal(const Address& address,
                                                        const std::vector<Address>& own = {}) const;
  // Whether it is in a network that the configuration names.
  [[nodiscard]] bool names(const Address& address) const;

 private:
  std::vector<Network> allowed_;
};

// What is sent, and the setting that names internal networks, for messages. Literals.
struct Purpose {
  std::string_view who_go;   // "webhooks go"
  std::string_view setting;  // "webhook_networks"
};

// The error that names host, address and reason, and says what may be done. Code: denied.
[[nodiscard]] Error address_refused(const Purpose& purpose, std::string_view host,
                                    const Address& address, std::string_view reason);

}  // namespace lambda::egress
