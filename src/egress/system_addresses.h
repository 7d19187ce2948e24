// Addresses as the system tells them. Both calls block: host_addresses() for seconds where DNS
// servers do not answer. Any thread.
#pragma once

#include "base/result.h"
#include "egress/address_rules.h"

#include <functional>
#include <string>
#include <vector>

namespace lambda::egress {

using Addresses = std::vector<Address>;

// This machine's, now. Errors: unavailable.
Result<Addresses> own_addresses();
// What /etc/hosts or DNS says; at least one. Errors: unavailable.
Result<Addresses> host_addresses(const std::string& host);

// Who is asked for them: the system, where a test does not say otherwise.
struct AddressSystem {
  std::function<Result<Addresses>(const std::string& host)> host = host_addresses;
  std::function<Result<Addresses>()> own = own_addresses;
};

}  // namespace lambda::egress
