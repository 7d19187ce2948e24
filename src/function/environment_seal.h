// Environment variables at rest: sealed under the master key, each version's for its own row, so
// that no row's can be put into another. In memory they are in clear.
//
// Threads: EnvironmentSeal any; the conversion on the starting thread.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "function/function.h"
#include "store/master_key.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace lambda::store {
class Database;
}

namespace lambda::function {

struct Tenant;

class EnvironmentSeal {
 public:
  using Variables = std::map<std::string, std::string>;
  // Of one row of `versions`. `master` outlives it.
  EnvironmentSeal(const store::MasterKey& master, const Tenant& tenant, std::string_view function,
                  std::uint64_t number);

  // As base64.
  [[nodiscard]] std::string seal(const Variables& variables) const;
  // Error: internal (another master key, another row's, changed by hand).
  [[nodiscard]] Result<Variables> open(std::string_view text) const;

 private:
  const store::MasterKey& master_;
  std::string context_;
};

// Databases from before environments were sealed hold them in clear: seals those of all tenants in
// one transaction, and then leaves none of the old bytes in the database's files. Where the latter
// fails (a full disk) that is a warning, and tried again at the next start. Errors: the database's.
Result<Done> seal_stored_environments(store::Database& database, const store::MasterKey& master);

}  // namespace lambda::function
