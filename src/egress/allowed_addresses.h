// A host's addresses, looked up and checked: what is connected to is what was checked.
#pragma once

#include "base/async.h"
#include "base/clock.h"
#include "base/result.h"
#include "egress/address_rules.h"
#include "egress/name_lookup.h"

#include <string>

namespace lambda::egress {

// One address that is refused refuses the name: who mixes them does not do so by accident. `names`
// and `rules` live until this returns; on the loop of `names`. Errors: those of NameLookup::find,
// and denied.
Task<Result<Addresses>> allowed_addresses(NameLookup& names, const AddressRules& rules,
                                          Purpose purpose, std::string host, SteadyTime deadline);

}  // namespace lambda::egress
