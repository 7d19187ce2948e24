#include "events/webhook/signature.h"

#include "base/crypto.h"
#include "base/encoding.h"

#include <spdlog/fmt/fmt.h>

namespace lambda::events {
namespace {

constexpr std::string_view kPrefix = "whsec_";

}  // namespace

std::string webhook_secret(const store::MasterKey& master, const function::Tenant& tenant,
                           const function::Function& function) {
  // None of the parts can hold a line break.
  const auto label =
      fmt::format("lambda webhook signature 1\n{}\n{}\n{}\n{}", tenant.account, tenant.region,
                  function.name, function.created.time_since_epoch().count());
  return std::string(kPrefix) + base64_encode(master.derive(label));
}

std::string webhook_signature(std::string_view secret, std::string_view id, std::int64_t seconds,
                              std::string_view body) {
  if (secret.starts_with(kPrefix)) secret.remove_prefix(kPrefix.size());
  const auto key = base64_decode(secret).value_or("");
  auto text = fmt::format("{}.{}.", id, seconds);
  text += body;
  return "v1," + base64_encode(hmac_sha256(key, text));
}

}  // namespace lambda::events
