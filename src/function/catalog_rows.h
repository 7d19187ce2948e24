// Functions to and from their rows in the database (tables functions, versions, aliases, tags).
// Throws SQLite::Exception; for use inside store::Database::change and read. The store thread.
#pragma once

#include "base/result.h"
#include "function/catalog.h"
#include "function/function.h"
#include "store/master_key.h"

#include <string>
#include <vector>

namespace SQLite {  // NOLINT(readability-identifier-naming): the name is the library's
class Database;
}

namespace lambda::function {

// Every function of one tenant. Error: internal where a row cannot be understood.
Result<std::vector<FunctionPtr>> load_functions(SQLite::Database& database, const Tenant& tenant,
                                                const store::MasterKey& master);

// Makes the rows say `after` where they said `before` (null: a new function). Only what differs is
// written.
void save_function(SQLite::Database& database, const Tenant& tenant, const store::MasterKey& master,
                   const Function* before, const Function& after);

void remove_function(SQLite::Database& database, const Tenant& tenant, const std::string& name);

// What versions of other tenants in the same database use, which must not be collected.
struct ForeignUse {
  std::size_t functions = 0;
  std::vector<std::string> packages;
  std::vector<std::string> images;
};
ForeignUse load_foreign_use(SQLite::Database& database, const Tenant& tenant);

}  // namespace lambda::function
