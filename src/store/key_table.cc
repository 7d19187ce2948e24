#include "store/key_table.h"

#include "base/crypto.h"
#include "store/wall_time.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <spdlog/fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <sstream>
#include <tuple>
#include <utility>

namespace lambda::store {
namespace {

constexpr std::string_view kIdAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
constexpr std::string_view kSecretAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::size_t kIdLength = 20;

// Patterns hold no space.
std::vector<std::string> split_words(const std::string& text) {
  std::istringstream words(text);
  return {std::istream_iterator<std::string>(words), {}};
}

bool consists_of(std::string_view text, std::string_view alphabet) {
  return text.find_first_not_of(alphabet) == std::string_view::npos;
}

// Told from an id, and fit for a table and a shell.
Result<Done> check_key_name(std::string_view name) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.@";
  constexpr std::size_t kLongestName = 64;
  const bool fits = !name.empty() && name.size() <= kLongestName && name.front() != '-' &&
                    consists_of(name, kAllowed);
  const bool as_id = name.size() == kIdLength && consists_of(name, kIdAlphabet);
  if (fits && !as_id) return Done{};
  return fail(ErrorCode::invalid,
              "\"{}\" is not a name for a key: 1 to {} letters, digits and - _ . @, not like an id "
              "(20 capital letters and digits), and no - at the beginning",
              name, kLongestName);
}

}  // namespace

std::string Key::token() const {
  return "lam_" + id + "_" + secret;
}

class KeyTable::Watch final : public KeyWatch {
 public:
  Watch(KeyTable& table, const std::string& id, std::function<void()> wake)
      : table_(table), wake_(std::move(wake)) {
    const std::lock_guard guard(table_.mutex_);
    place_ = table_.watches_.emplace(id, this);
  }
  ~Watch() override {
    const std::lock_guard guard(table_.mutex_);
    table_.watches_.erase(place_);
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  void wake() const { wake_(); }

 private:
  KeyTable& table_;
  const std::function<void()> wake_;
  std::multimap<std::string, Watch*, std::less<>>::iterator place_;
};

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
    sealed =
        connection.execAndGet("SELECT (SELECT count(*) FROM keys) + (SELECT count(*) FROM secrets)")
            .getInt() > 0;
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
    Entry entry;
    std::string scopes;
    std::vector<std::string> patterns;
    std::string sealed;
  };
  std::vector<Row> rows;
  auto work = [this, &rows](SQLite::Database& connection) {
    SQLite::Statement select(connection,
                             "SELECT id, name, scopes, sealed_secret, created, revoked, functions, "
                             "expires, last_used, last_address FROM keys "
                             "WHERE account = ? AND region = ?");
    select.bind(1, account_);
    select.bind(2, region_);
    while (select.executeStep()) {
      Row row;
      row.key.id = select.getColumn(0).getString();
      row.key.name = select.getColumn(1).getString();
      row.scopes = select.getColumn(2).getString();
      row.sealed = select.getColumn(3).getString();
      row.key.created = from_ms(select.getColumn(4).getInt64());
      row.key.revoked = time_in(select.getColumn(5));
      row.patterns = split_words(select.getColumn(6).getString());
      row.key.expires = time_in(select.getColumn(7));
      row.entry.used = time_in(select.getColumn(8));
      row.entry.address = select.getColumn(9).getString();
      rows.push_back(std::move(row));
    }
  };
  if (auto read = database_.read("load keys", work); !read) return read;
  const std::lock_guard guard(mutex_);
  for (auto& row : rows) {
    auto secret = master_.unseal(row.sealed, row.key.id);
    if (!secret) {
      return fail(ErrorCode::invalid,
                  "master.key does not open the secret of the key {} (\"{}\") in the database: it "
                  "is not the one that sealed it. Restore master.key from a backup of this data "
                  "directory, or restore the whole directory",
                  row.key.id, row.key.name);
    }
    row.key.secret = std::move(*secret);
    // A scope of a newer server is none here.
    if (auto grants = Grants::make(row.scopes, std::move(row.patterns)))
      row.key.grants = std::move(*grants);
    row.entry.key = std::make_shared<const Key>(std::move(row.key));
    const auto id = row.entry.key->id;
    keys_.emplace(id, std::move(row.entry));
  }
  return Done{};
}

KeyPtr KeyTable::find(std::string_view id) const {
  const std::lock_guard guard(mutex_);
  const auto found = keys_.find(id);
  return found == keys_.end() ? nullptr : found->second.key;
}

KeyPtr KeyTable::find_named(std::string_view id_or_name) const {
  if (auto key = find(id_or_name)) return key;
  const auto now = clock_.now();
  KeyPtr expired;
  const std::lock_guard guard(mutex_);
  for (const auto& [id, entry] : keys_) {
    if (entry.key->name != id_or_name || entry.key->revoked) continue;
    if (entry.key->is_live(now)) return entry.key;
    expired = entry.key;
  }
  return expired;
}

std::vector<KeyTable::Listed> KeyTable::list() const {
  std::vector<Listed> all;
  {
    const std::lock_guard guard(mutex_);
    for (const auto& [id, entry] : keys_)
      all.push_back(Listed{entry.key, entry.used, entry.address});
  }
  std::ranges::sort(all, [](const Listed& a, const Listed& b) {
    return std::tie(a.key->created, a.key->id) < std::tie(b.key->created, b.key->id);
  });
  return all;
}

Result<Done> KeyTable::check_new(const Key& key) const {
  if (auto good = check_key_name(key.name); !good) return good;
  if (key.is_expired(key.created)) {
    return fail(ErrorCode::invalid, "the key \"{}\" would have expired already: choose a later end",
                key.name);
  }
  const auto now = clock_.now();
  const std::lock_guard guard(mutex_);
  for (const auto& [id, entry] : keys_) {
    if (entry.key->name != key.name || !entry.key->is_live(now)) continue;
    return fail(ErrorCode::conflict,
                "there is a key \"{}\" already ({}): choose another name, or revoke that one first "
                "(`lambda keys revoke {}`)",
                key.name, id, key.name);
  }
  return Done{};
}

Result<KeyPtr> KeyTable::create(std::string name, Grants grants, std::optional<WallTime> expires) {
  Key key;
  key.id = random_text(kIdLength, kIdAlphabet);
  key.secret = random_text(kSecretLength, kSecretAlphabet);
  key.name = std::move(name);
  key.grants = std::move(grants);
  key.created = clock_.now();
  key.expires = expires;
  if (auto good = check_new(key); !good) return fail(std::move(good.error()));
  const std::string sealed = master_.seal(key.secret, key.id);
  auto work = [&](SQLite::Database& connection) {
    SQLite::Statement insert(connection,
                             "INSERT INTO keys (account, region, id, name, scopes, sealed_secret, "
                             "created, functions, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    insert.bind(1, account_);
    insert.bind(2, region_);
    insert.bind(3, key.id);
    insert.bind(4, key.name);
    insert.bind(5, key.grants.scopes().text());
    insert.bind(6, sealed.data(), static_cast<int>(sealed.size()));
    insert.bind(7, to_ms(key.created));
    insert.bind(8, fmt::format("{}", fmt::join(key.grants.patterns(), " ")));
    if (key.expires) insert.bind(9, to_ms(*key.expires));
    insert.exec();
  };
  if (auto saved = database_.change("save the new key", work); !saved) {
    return fail(std::move(saved.error()));
  }
  Entry entry;
  entry.key = std::make_shared<const Key>(std::move(key));
  const std::lock_guard guard(mutex_);
  return keys_.emplace(entry.key->id, std::move(entry)).first->second.key;
}

Result<Done> KeyTable::revoke(std::string_view id) {
  const auto now = clock_.now();
  const auto key = find(id);
  if (!key) return fail(ErrorCode::not_found, "there is no key {}", id);
  if (key->revoked) return Done{};
  auto work = [&](SQLite::Database& connection) {
    SQLite::Statement update(connection, "UPDATE keys SET revoked = ? WHERE id = ?");
    update.bind(1, to_ms(now));
    update.bind(2, std::string(id));
    update.exec();
  };
  if (auto saved = database_.change("revoke the key", work); !saved) return saved;
  Key revoked = *key;
  revoked.revoked = now;
  const std::lock_guard guard(mutex_);
  keys_.find(id)->second.key = std::make_shared<const Key>(std::move(revoked));
  const auto [first, last] = watches_.equal_range(id);
  for (auto watch = first; watch != last; ++watch) watch->second->wake();
  return Done{};
}

std::unique_ptr<KeyWatch> KeyTable::watch(std::string id, std::function<void()> wake) {
  return std::make_unique<Watch>(*this, id, std::move(wake));
}

void KeyTable::note_use(std::string_view id, std::string_view address) {
  const auto now = clock_.now();
  const std::lock_guard guard(mutex_);
  const auto found = keys_.find(id);
  if (found == keys_.end()) return;
  auto& entry = found->second;
  entry.used = now;
  entry.unsaved = true;
  if (entry.address != address) entry.address = address;
}

Result<Done> KeyTable::save_uses() {
  struct Use {
    std::string id;
    WallTime time;
    std::string address;
  };
  std::vector<Use> uses;
  {
    const std::lock_guard guard(mutex_);
    for (auto& [id, entry] : keys_) {
      if (std::exchange(entry.unsaved, false)) uses.push_back(Use{id, *entry.used, entry.address});
    }
  }
  if (uses.empty()) return Done{};
  auto work = [&uses](SQLite::Database& connection) {
    SQLite::Statement update(connection,
                             "UPDATE keys SET last_used = ?, last_address = ? WHERE id = ?");
    for (const auto& use : uses) {
      update.bind(1, to_ms(use.time));
      update.bind(2, use.address);
      update.bind(3, use.id);
      update.exec();
      update.reset();
    }
  };
  auto saved = database_.change("save when keys were used", work, Database::Sync::later);
  if (saved) return saved;
  const std::lock_guard guard(mutex_);
  for (const auto& use : uses) keys_.find(use.id)->second.unsaved = true;
  return saved;
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
