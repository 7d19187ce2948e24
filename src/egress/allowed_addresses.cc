#include "egress/allowed_addresses.h"

#include <utility>

namespace lambda::egress {

Task<Result<Addresses>> allowed_addresses(NameLookup& names, const AddressRules& rules,
                                          Purpose purpose, std::string host, SteadyTime deadline) {
  auto found = co_await names.find(host, deadline);
  if (!found) co_return fail(std::move(found.error()));
  for (const auto& address : found->addresses) {
    if (const auto reason = rules.refusal(address, found->own)) {
      names.forget(host);
      co_return fail(address_refused(purpose, host, address, *reason));
    }
  }
  co_return std::move(found->addresses);
}

}  // namespace lambda::egress
