// Reading: functions -> their versions, aliases, tags. Writing: only what differs between two
// states of one function.
#include "function/catalog_rows.h"

#include "function/configuration_json.h"
#include "store/wall_time.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <array>

namespace lambda::function {
namespace {

using store::from_ms;
using store::to_ms;

State parse_state(std::string_view text) {
  for (const auto state : {State::pending, State::inactive, State::failed}) {
    if (to_string(state) == text) return state;
  }
  return State::active;
}

UpdateStatus parse_update(std::string_view text) {
  for (const auto status :
       {UpdateStatus::successful, UpdateStatus::failed, UpdateStatus::in_progress}) {
    if (to_string(status) == text) return status;
  }
  return UpdateStatus::none;
}

// Binds and reads columns in order; every table begins with (account, region).
class Row {
 public:
  Row(SQLite::Database& database, const char* sql, const Tenant& tenant)
      : statement_(database, sql) {
    *this << tenant.account << tenant.region;
  }
  Row& operator<<(const std::string& text) {
    statement_.bind(++bound_, text);
    return *this;
  }
  Row& operator<<(std::string_view text) { return *this << std::string(text); }
  Row& operator<<(std::int64_t number) {
    statement_.bind(++bound_, number);
    return *this;
  }
  Row& operator<<(std::uint64_t number) { return *this << static_cast<std::int64_t>(number); }
  Row& operator<<(double number) {
    statement_.bind(++bound_, number);
    return *this;
  }
  Row& operator<<(WallTime time) { return *this << to_ms(time); }
  template <class T>
  Row& operator<<(const std::optional<T>& value) {
    if (value) return *this << *value;
    statement_.bind(++bound_);
    return *this;
  }
  void exec() { statement_.exec(); }

  bool next() {
    read_ = 0;
    return statement_.executeStep();
  }
  std::string text() { return statement_.getColumn(read_++).getString(); }
  std::int64_t number() { return statement_.getColumn(read_++).getInt64(); }
  std::optional<std::int64_t> number_or_none() {
    if (is_null()) {
      skip();
      return std::nullopt;
    }
    return number();
  }
  double real() { return statement_.getColumn(read_++).getDouble(); }
  bool is_null() { return statement_.getColumn(read_).isNull(); }
  void skip(int columns = 1) { read_ += columns; }
  WallTime time() { return from_ms(number()); }

 private:
  SQLite::Statement statement_;
  int bound_ = 0;
  int read_ = 0;
};

constexpr const char* kSelectFunctions =
    "SELECT name, host_label, url_auth, url_cors, url_invoke_mode, url_created, url_modified, "
    "reserved_concurrency, created, next_version, log_size_mb, log_age_seconds FROM functions "
    "WHERE account = ? AND region = ?";

Function read_function(Row& row) {
  Function function;
  function.name = row.text();
  function.host_label = row.text();
  function.url.auth = parse_url_auth(row.text()).value_or(UrlAuth::closed);
  function.url.cors_json = row.text();
  function.url.invoke_mode = row.text();
  function.url.created = row.time();
  function.url.modified = row.time();
  if (row.is_null()) {
    row.skip();
  } else {
    function.reserved_concurrency = static_cast<int>(row.number());
  }
  function.created = row.time();
  function.next_version = static_cast<std::uint64_t>(row.number());
  function.logs.size_mb = row.number_or_none();
  if (const auto age = row.number_or_none()) function.logs.age = std::chrono::seconds(*age);
  return function;
}

constexpr const char* kSelectVersions =
    "SELECT function, number, configuration, code_sha256, code_size, package_digest, image_uri, "
    "image_id, image_info, revision_id, last_modified, state, state_reason, state_reason_code, "
    "last_update, last_update_reason, last_update_reason_code, message, deployed, live_since, "
    "draft_description FROM versions WHERE account = ? AND region = ?";

Result<VersionPtr> read_version(Row& row, const Tenant& tenant, const store::MasterKey& master) {
  auto version = std::make_shared<Version>();
  version->function = row.text();
  version->number = static_cast<std::uint64_t>(row.number());
  const EnvironmentSeal seal(master, tenant, version->function, version->number);
  auto configuration = configuration_from_json(row.text(), seal);
  if (!configuration) {
    return fail(std::move(configuration.error()), "load {} version {}", version->function,
                version->label());
  }
  version->configuration = std::move(*configuration);
  version->code.sha256 = row.text();
  version->code.size = static_cast<std::uint64_t>(row.number());
  version->code.package_digest = row.text();
  version->code.image_uri = row.text();
  version->code.image_id = row.text();
  version->code.image_info = row.text();
  version->revision_id = row.text();
  version->last_modified = row.time();
  version->state = parse_state(row.text());
  version->state_reason = row.text();
  version->state_reason_code = row.text();
  version->last_update = parse_update(row.text());
  version->last_update_reason = row.text();
  version->last_update_reason_code = row.text();
  version->message = row.text();
  version->deployed = row.number() != 0;
  if (row.is_null()) {
    row.skip();
  } else {
    version->live_since = row.time();
  }
  version->draft_description = row.text();
  return VersionPtr(std::move(version));
}

using Functions = std::map<std::string, Function, std::less<>>;

Result<Done> load_versions(SQLite::Database& database, const Tenant& tenant,
                           const store::MasterKey& master, Functions& functions) {
  Row row(database, kSelectVersions, tenant);
  while (row.next()) {
    auto version = read_version(row, tenant, master);
    if (!version) return fail(std::move(version.error()));
    auto& function = functions.at((*version)->function);
    if ((*version)->is_latest()) {
      function.latest = *version;
    } else {
      function.versions.emplace((*version)->number, *version);
    }
  }
  for (const auto& [name, function] : functions) {
    if (!function.latest)
      return fail(ErrorCode::internal, "{} has no $LATEST in the database", name);
  }
  return Done{};
}

void load_aliases(SQLite::Database& database, const Tenant& tenant, Functions& functions) {
  Row row(database,
          "SELECT function, name, version, description, revision_id, additional_version, "
          "additional_weight FROM aliases WHERE account = ? AND region = ?",
          tenant);
  while (row.next()) {
    auto& function = functions.at(row.text());
    Alias alias;
    alias.name = row.text();
    alias.version = static_cast<std::uint64_t>(row.number());
    alias.description = row.text();
    alias.revision_id = row.text();
    if (!row.is_null()) {
      const auto number = static_cast<std::uint64_t>(row.number());
      alias.additional.emplace(number, row.real());
    }
    function.aliases.emplace(alias.name, std::move(alias));
  }
}

void load_tags(SQLite::Database& database, const Tenant& tenant, Functions& functions) {
  Row row(database, "SELECT function, key, value FROM tags WHERE account = ? AND region = ?",
          tenant);
  while (row.next()) {
    auto& function = functions.at(row.text());
    auto key = row.text();
    function.tags.emplace(std::move(key), row.text());
  }
}

void save_function_row(SQLite::Database& database, const Tenant& tenant, const Function& function) {
  std::optional<std::string> label;
  if (!function.host_label.empty()) label = function.host_label;
  std::optional<std::int64_t> reserved;
  if (function.reserved_concurrency) reserved = *function.reserved_concurrency;
  std::optional<std::int64_t> log_age;
  if (function.logs.age) log_age = function.logs.age->count();
  Row row(database,
          "INSERT INTO functions (account, region, name, host_label, url_auth, url_cors, "
          "url_invoke_mode, url_created, url_modified, reserved_concurrency, created, "
          "next_version, log_size_mb, log_age_seconds) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
          "ON CONFLICT DO UPDATE SET host_label = excluded.host_label, "
          "url_auth = excluded.url_auth, url_cors = excluded.url_cors, "
          "url_invoke_mode = excluded.url_invoke_mode, url_created = excluded.url_created, "
          "url_modified = excluded.url_modified, "
          "reserved_concurrency = excluded.reserved_concurrency, "
          "next_version = excluded.next_version, log_size_mb = excluded.log_size_mb, "
          "log_age_seconds = excluded.log_age_seconds",
          tenant);
  row << function.name << label << to_string(function.url.auth) << function.url.cors_json
      << function.url.invoke_mode << function.url.created << function.url.modified << reserved
      << function.created << function.next_version << function.logs.size_mb << log_age;
  row.exec();
}

void save_version(SQLite::Database& database, const Tenant& tenant, const store::MasterKey& master,
                  const Version& version) {
  const EnvironmentSeal seal(master, tenant, version.function, version.number);
  Row row(database,
          "INSERT OR REPLACE INTO versions VALUES "
          "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
          tenant);
  row << version.function << version.number << to_json(version.configuration, seal)
      << version.code.sha256 << version.code.size << version.code.package_digest
      << version.code.image_uri << version.code.image_id << version.code.image_info
      << version.revision_id << version.last_modified << to_string(version.state)
      << version.state_reason << version.state_reason_code << to_string(version.last_update)
      << version.last_update_reason << version.last_update_reason_code << version.message
      << std::int64_t{version.deployed} << version.live_since << version.draft_description;
  row.exec();
}

void save_alias(SQLite::Database& database, const Tenant& tenant, const std::string& function,
                const Alias& alias) {
  std::optional<std::uint64_t> number;
  std::optional<double> weight;
  if (alias.additional) {
    number = alias.additional->first;
    weight = alias.additional->second;
  }
  Row row(database, "INSERT OR REPLACE INTO aliases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", tenant);
  row << function << alias.name << alias.version << alias.description << alias.revision_id << number
      << weight;
  row.exec();
}

void save_versions(SQLite::Database& database, const Tenant& tenant, const store::MasterKey& master,
                   const Function* before, const Function& after) {
  if (before == nullptr || before->latest != after.latest) {
    save_version(database, tenant, master, *after.latest);
  }
  for (const auto& [number, version] : after.versions) {
    if (before == nullptr || before->version(number) != version) {
      save_version(database, tenant, master, *version);
    }
  }
  if (before == nullptr) return;
  for (const auto& [number, version] : before->versions) {
    if (after.versions.contains(number)) continue;
    Row row(database,
            "DELETE FROM versions WHERE account = ? AND region = ? AND function = ? AND number = ?",
            tenant);
    row << after.name << number;
    row.exec();
  }
}

void save_aliases(SQLite::Database& database, const Tenant& tenant, const Function* before,
                  const Function& after) {
  for (const auto& [name, alias] : after.aliases) {
    if (before != nullptr) {
      const auto old = before->aliases.find(name);
      if (old != before->aliases.end() && old->second == alias) continue;
    }
    save_alias(database, tenant, after.name, alias);
  }
  if (before == nullptr) return;
  for (const auto& [name, alias] : before->aliases) {
    if (after.aliases.contains(name)) continue;
    Row row(database,
            "DELETE FROM aliases WHERE account = ? AND region = ? AND function = ? AND name = ?",
            tenant);
    row << after.name << name;
    row.exec();
  }
}

void save_tags(SQLite::Database& database, const Tenant& tenant, const Function* before,
               const Function& after) {
  if (before != nullptr && before->tags == after.tags) return;
  Row remove(database, "DELETE FROM tags WHERE account = ? AND region = ? AND function = ?",
             tenant);
  remove << after.name;
  remove.exec();
  for (const auto& [key, value] : after.tags) {
    Row row(database, "INSERT INTO tags VALUES (?, ?, ?, ?, ?)", tenant);
    row << after.name << key << value;
    row.exec();
  }
}

}  // namespace

Result<std::vector<FunctionPtr>> load_functions(SQLite::Database& database, const Tenant& tenant,
                                                const store::MasterKey& master) {
  Functions functions;
  Row row(database, kSelectFunctions, tenant);
  while (row.next()) {
    auto function = read_function(row);
    functions.emplace(function.name, std::move(function));
  }
  if (auto loaded = load_versions(database, tenant, master, functions); !loaded) {
    return fail(std::move(loaded.error()));
  }
  load_aliases(database, tenant, functions);
  load_tags(database, tenant, functions);
  std::vector<FunctionPtr> all;
  for (auto& [name, function] : functions) {
    all.push_back(std::make_shared<const Function>(std::move(function)));
  }
  return all;
}

void save_function(SQLite::Database& database, const Tenant& tenant, const store::MasterKey& master,
                   const Function* before, const Function& after) {
  save_function_row(database, tenant, after);
  save_versions(database, tenant, master, before, after);
  save_aliases(database, tenant, before, after);
  save_tags(database, tenant, before, after);
}

void remove_function(SQLite::Database& database, const Tenant& tenant, const std::string& name) {
  // Aliases first: they refer to versions.
  for (const char* sql : {"DELETE FROM aliases WHERE account = ? AND region = ? AND function = ?",
                          "DELETE FROM functions WHERE account = ? AND region = ? AND name = ?"}) {
    Row row(database, sql, tenant);
    row << name;
    row.exec();
  }
}

ForeignUse load_foreign_use(SQLite::Database& database, const Tenant& tenant) {
  ForeignUse use;
  Row row(database,
          "SELECT package_digest, image_id, number FROM versions WHERE account <> ? OR region <> ?",
          tenant);
  while (row.next()) {
    use.packages.push_back(row.text());
    use.images.push_back(row.text());
    if (row.number() == 0) ++use.functions;
  }
  std::erase(use.packages, "");
  std::erase(use.images, "");
  return use;
}

}  // namespace lambda::function
