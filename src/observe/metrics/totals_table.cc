#include "observe/metrics/totals_table.h"

#include <SQLiteCpp/Database.h>

namespace lambda::observe {
namespace {

constexpr const char* kLoad =
    "SELECT function, version, totals FROM call_totals WHERE account = ? AND region = ?";
constexpr const char* kSave = R"sql(
INSERT INTO call_totals (account, region, function, version, totals)
SELECT ?1, ?2, ?3, ?4, ?5
WHERE ?3 = '' OR EXISTS
  (SELECT 1 FROM functions WHERE account = ?1 AND region = ?2 AND name = ?3)
ON CONFLICT (account, region, function, version) DO UPDATE SET totals = excluded.totals
)sql";

}  // namespace

std::vector<CallBook::Row> TotalsTable::load(SQLite::Database& database) {
  store::Statements::Use select(statements_.prepare(database, kLoad));
  select->bind(1, account_);
  select->bind(2, region_);
  std::vector<CallBook::Row> rows;
  while (select->executeStep()) {
    CallBook::Row row;
    row.function = select->getColumn(0).getString();
    row.version = select->getColumn(1).getString();
    row.totals = select->getColumn(2).getString();
    rows.push_back(std::move(row));
  }
  return rows;
}

void TotalsTable::save(SQLite::Database& database, std::span<const CallBook::Row> rows) {
  for (const auto& row : rows) {
    store::Statements::Use insert(statements_.prepare(database, kSave));
    insert->bind(1, account_);
    insert->bind(2, region_);
    insert->bind(3, row.function);
    insert->bind(4, row.version);
    insert->bind(5, row.totals);
    insert->exec();
  }
}

}  // namespace lambda::observe
