// The totals of calls on disk, so that they go on where they were after a restart. With a function
// or a version its row goes, in the same transaction (a trigger). Threads: load() while starting,
// save() on the store thread.
#pragma once

#include "observe/metrics/call_book.h"
#include "store/statements.h"

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace SQLite {  // NOLINT(readability-identifier-naming): the name is the library's
class Database;
}

namespace lambda::observe {

class TotalsTable {
 public:
  TotalsTable(std::string account, std::string region)
      : account_(std::move(account)), region_(std::move(region)) {}

  // Both let SQLiteCpp's exceptions pass.
  [[nodiscard]] std::vector<CallBook::Row> load(SQLite::Database& database);
  // Rows of functions that are gone meanwhile are left out.
  void save(SQLite::Database& database, std::span<const CallBook::Row> rows);

 private:
  std::string account_;
  std::string region_;
  store::Statements statements_;
};

}  // namespace lambda::observe
