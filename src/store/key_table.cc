#include "store/key_table.h"

#include "base/crypto.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <algorithm>
#include <tuple>

namespace lambda::store {
namespace {

constexpr std::string_view kIdAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
constexpr std::string_view kSecretAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::size_t kIdLength = 20;
constexpr std::size_t kSecretLength = 40;

std::int64_t to_ms(WallTime time) {
  return time.time_since_epoch().count();
}
WallTime from_ms(std::int64_t ms) {
  return WallTime(std::chrono::milliseconds(ms));
}

bool consists_of(std::string_view text, std::string_view alphabet) {
  return text.find_first_not_of(alphabet) == std::string_view::npos;
}

}  // namespace

std::string Key::token() const {
  return "lam_" + id + "_" + secret;
}

KeyTable::KeyTable(Database& database, const Clock& clock, MasterKey master, std::string account,
                   std::string region)
    : database_(database),
      clock_(clock),
      master_(std::move(master)),
      account_(std::move(account)),
      region_(std::move(region)) {}

Result<std::unique_ptr<KeyTable>> KeyTable::load(Database& database, const Clock& clock,
                                                 const std::filesystem::path& data_directory,
                                                 std::string account, std::string region) {
  bool sealed = false;
  auto look = [&sealed](SQLite::Database& connection) {
    sealed = connection.execAndGet("SELECT count(*) FROM keys").getInt() > 0;
  };
  if (auto read = database.read("load keys", look); !read) return fail(std::move(read.error()));
  auto master = MasterKey::load(data_directory, sealed);
  if (!master) return fail(std::move(master.error()));
  return load(database, clock, std::move(*master), std::move(account), std::move(region));
}

Result<std::unique_ptr<KeyTable>> KeyTable::load(Database& database, const Clock& clock,
                                                 MasterKey master, std::string account,
                                                 std::string region) {
  std::unique_ptr<KeyTable> table(
      new KeyTable(database, clock, std::move(master), std::move(account), std::move(region)));
  if (auto read = table->read_all(); !read) return fail(std::move(read.error()));
  return table;
}

Result<Done> KeyTable::read_all() {
  struct Row {
    Key key;
    std::string sealed;
  };
  std::vector<Row> rows;
  auto work = [this, &rows](SQLite::Database& connection) {
    SQLite::Statement select(connection,
                             "SELECT id, name, scopes, sealed_secret, created, revoked FROM keys "
                             "WHERE account = ? AND region = ?");
    select.bind(1, account_);
    select.bind(2, region_);
    while (select.executeStep()) {
      Row row;
      row.key.id = select.getColumn(0).getString();
      row.key.name = select.getColumn(1).getString();
      row.key.scopes = select.getColumn(2).getString();
      row.sealed = select.getColumn(3).getString();
      row.key.created = from_ms(select.getColumn(4).getInt64());
      if (!select.getColumn(5).isNull()) row.key.revoked = from_ms(select.getColumn(5).getInt64());
      rows.push_back(std::move(row));
    }
  };
  if (auto read = database_.read("load keys", work); !read) return read;
  const std::lock_guard guard(mutex_);
  for (auto& row : rows) {
    auto secret = master_.unseal(row.sealed, row.key.id);
    if (!secret) return fail(std::move(secret.error()), "open the secret of key {}", row.key.id);
    row.key.secret = std::move(*secret);
    keys_.emplace(row.key.id, std::move(row.key));
  }
  return Done{};
}

std::optional<Key> KeyTable::find(std::string_view id) const {
  const std::lock_guard guard(mutex_);
  const auto found = keys_.find(id);
  if (found == keys_.end() || found->second.revoked) return std::nullopt;
  return found->second;
}

std::vector<Key> KeyTable::list() const {
  std::vector<Key> all;
  {
    const std::lock_guard guard(mutex_);
    for (const auto& [id, key] : keys_) all.push_back(key);
  }
  std::ranges::sort(all, [](const Key& a, const Key& b) {
    return std::tie(a.created, a.id) < std::tie(b.created, b.id);
  });
  return all;
}

Result<Key> KeyTable::create(std::string name, std::string scopes) {
  Key key;
  key.id = random_text(kIdLength, kIdAlphabet);
  key.secret = random_text(kSecretLength, kSecretAlphabet);
  key.name = std::move(name);
  key.scopes = std::move(scopes);
  key.created = clock_.now();
  const std::string sealed = master_.seal(key.secret, key.id);
  auto work = [&](SQLite::Database& connection) {
    SQLite::Statement insert(connection, "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, NULL)");
    insert.bind(1, account_);
    insert.bind(2, region_);
    insert.bind(3, key.id);
    insert.bind(4, key.name);
    insert.bind(5, key.scopes);
    insert.bind(6, sealed.data(), static_cast<int>(sealed.size()));
    insert.bind(7, to_ms(key.created));
    insert.exec();
  };
  if (auto saved = database_.change("save the new key", work); !saved) {
    return fail(std::move(saved.error()));
  }
  const std::lock_guard guard(mutex_);
  keys_.emplace(key.id, key);
  return key;
}

Result<Done> KeyTable::revoke(std::string_view id) {
  const auto now = clock_.now();
  {
    const std::lock_guard guard(mutex_);
    const auto found = keys_.find(id);
    if (found == keys_.end()) return fail(ErrorCode::not_found, "there is no key {}", id);
    if (found->second.revoked) return Done{};
  }
  auto work = [&](SQLite::Database& connection) {
    SQLite::Statement update(connection, "UPDATE keys SET revoked = ? WHERE id = ?");
    update.bind(1, to_ms(now));
    update.bind(2, std::string(id));
    update.exec();
  };
  if (auto saved = database_.change("revoke the key", work); !saved) return saved;
  const std::lock_guard guard(mutex_);
  keys_.find(id)->second.revoked = now;
  return Done{};
}

std::optional<std::pair<std::string, std::string>> KeyTable::parse_token(std::string_view token) {
  constexpr std::string_view prefix = "lam_";
  if (token.size() != prefix.size() + kIdLength + 1 + kSecretLength || !token.starts_with(prefix)) {
    return std::nullopt;
  }
  const auto id = token.substr(prefix.size(), kIdLength);
  const auto secret = token.substr(prefix.size() + kIdLength + 1);
  if (token[prefix.size() + kIdLength] != '_' || !consists_of(id, kIdAlphabet) ||
      !consists_of(secret, kSecretAlphabet)) {
    return std::nullopt;
  }
  return std::pair(std::string(id), std::string(secret));
}

}  // namespace lambda::store
