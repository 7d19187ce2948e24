// The address of a webhook, checked as far as that goes without asking DNS. Pure.
#pragma once

#include "egress/address_rules.h"
#include "http/client.h"

#include <string_view>

namespace lambda::events {

inline constexpr egress::Purpose kWebhooks{"webhooks go", "webhook_networks"};

// Errors: invalid; says what is wrong with it: no http(s) URL, no host, a user name in it, a host
// that is an internal address or a name of loopback.
Result<http::ParsedUrl> parse_webhook_url(std::string_view url, const egress::AddressRules& rules);

}  // namespace lambda::events
