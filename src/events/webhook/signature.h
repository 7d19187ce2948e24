// Signatures of webhooks, as the Standard Webhooks specification has them: who gets one can tell
// that this server sent it, for that function, lately. Pure.
#pragma once

#include "function/catalog.h"
#include "store/master_key.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace lambda::events {

// "whsec_<base64 of 32 bytes>": of one function of one tenant on one server. A function that is
// deleted and made anew has another.
[[nodiscard]] std::string webhook_secret(const store::MasterKey& master,
                                         const function::Tenant& tenant,
                                         const function::Function& function);

// The header webhook-signature: "v1,<base64 of HMAC-SHA256 over id.seconds.body>".
[[nodiscard]] std::string webhook_signature(std::string_view secret, std::string_view id,
                                            std::int64_t seconds, std::string_view body);

}  // namespace lambda::events
