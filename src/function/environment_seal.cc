#include "function/environment_seal.h"

#include "base/encoding.h"
#include "function/catalog.h"
#include "store/database.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <boost/json.hpp>
#include <spdlog/spdlog.h>

#include <tuple>
#include <vector>

namespace lambda::function {
namespace {

namespace json = boost::json;

// In the table meta, once no file of the database holds an environment in clear.
constexpr const char* kIsDone = "SELECT count(*) FROM meta WHERE name = 'environments_sealed'";
constexpr const char* kNoteDone = "INSERT OR REPLACE INTO meta VALUES ('environments_sealed', '1')";

struct SealedRow {
  std::string account, region, function, configuration;
  std::int64_t number = 0;
};

std::vector<SealedRow> rows_in_clear(SQLite::Database& connection) {
  std::vector<SealedRow> rows;
  SQLite::Statement select(connection,
                           "SELECT account, region, function, number, configuration FROM versions "
                           "WHERE configuration LIKE '%\"environment\"%'");
  while (select.executeStep()) {
    SealedRow row;
    row.account = select.getColumn(0).getString();
    row.region = select.getColumn(1).getString();
    row.function = select.getColumn(2).getString();
    row.number = select.getColumn(3).getInt64();
    row.configuration = select.getColumn(4).getString();
    rows.push_back(std::move(row));
  }
  return rows;
}

// Nothing to do, or nothing that can be read: the catalog says so when it is loaded.
bool seal_row(const store::MasterKey& master, SealedRow& row) {
  boost::system::error_code error;
  auto value = json::parse(row.configuration, error);
  auto* object = error ? nullptr : value.if_object();
  const auto* clear = object == nullptr ? nullptr : object->if_contains("environment");
  if (clear == nullptr || !clear->is_object()) return false;
  EnvironmentSeal::Variables variables;
  for (const auto& [name, item] : clear->get_object()) {
    if (!item.is_string()) return false;
    variables.emplace(name, item.get_string());
  }
  const Tenant tenant{row.account, row.region};
  const EnvironmentSeal seal(master, tenant, row.function, static_cast<std::uint64_t>(row.number));
  object->erase("environment");
  object->emplace("sealedEnvironment", seal.seal(variables));
  row.configuration = json::serialize(*object);
  return true;
}

void seal_all(SQLite::Database& connection, const store::MasterKey& master) {
  for (auto& row : rows_in_clear(connection)) {
    if (!seal_row(master, row)) continue;
    SQLite::Statement update(connection,
                             "UPDATE versions SET configuration = ? WHERE account = ? AND region = "
                             "? AND function = ? AND number = ?");
    update.bind(1, row.configuration);
    update.bind(2, row.account);
    update.bind(3, row.region);
    update.bind(4, row.function);
    update.bind(5, row.number);
    update.exec();
  }
}

}  // namespace

EnvironmentSeal::EnvironmentSeal(const store::MasterKey& master, const Tenant& tenant,
                                 std::string_view function, std::uint64_t number)
    : master_(master),
      context_(fmt::format("environment\n{}\n{}\n{}\n{}", tenant.account, tenant.region, function,
                           number)) {}

std::string EnvironmentSeal::seal(const Variables& variables) const {
  json::object object;
  for (const auto& [name, value] : variables) object[name] = value;
  return base64_encode(master_.seal(json::serialize(object), context_));
}

Result<EnvironmentSeal::Variables> EnvironmentSeal::open(std::string_view text) const {
  const auto sealed = base64_decode(text);
  if (!sealed) return fail(ErrorCode::internal, "sealed environment variables cannot be read");
  auto plain = master_.unseal(*sealed, context_);
  if (!plain) return fail(std::move(plain.error()), "open the environment variables");
  boost::system::error_code error;
  const auto value = json::parse(*plain, error);
  if (error || !value.is_object())
    return fail(ErrorCode::internal, "sealed environment variables cannot be read");
  Variables variables;
  for (const auto& [name, item] : value.get_object()) {
    if (item.is_string()) variables.emplace(name, item.get_string());
  }
  return variables;
}

Result<Done> seal_stored_environments(store::Database& database, const store::MasterKey& master) {
  bool done = false;
  auto look = [&done](SQLite::Database& connection) {
    done = connection.execAndGet(kIsDone).getInt() > 0;
  };
  if (auto read = database.read("load functions", look); !read || done) return read;
  auto seal = [&master](SQLite::Database& connection) { seal_all(connection, master); };
  if (auto sealed = database.change("seal environment variables", seal); !sealed) return sealed;
  // What a change overwrites stays in free pages and in the log.
  if (auto scrubbed = database.scrub(); !scrubbed) {
    spdlog::warn(
        "environment variables are encrypted now, but what they were before may still stand in "
        "the database's files: {}. It is tried again at the next start",
        scrubbed.error().message());
    return Done{};
  }
  auto note = [](SQLite::Database& connection) { connection.exec(kNoteDone); };
  return database.change("seal environment variables", note);
}

}  // namespace lambda::function
