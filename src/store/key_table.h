// API keys: who may call, and what. A key's secret must be known in the clear to check signatures,
// so it is stored sealed under the master key (context: the key's id) and held in memory. A row is
// never removed: a revoked key can be named for ever.
//
// Threads: find(), list(), watch() and note_use() from any thread, without a database query;
// create(), revoke() and save_uses() on the "store" thread. What create() and revoke() did is on
// disk, and seen by every thread, when they return.
#pragma once

#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "store/database.h"
#include "store/grants.h"
#include "store/master_key.h"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::store {

inline constexpr std::size_t kSecretLength = 40;

struct Key {
  std::string id;      // [A-Z0-9]{20}
  std::string secret;  // [A-Za-z0-9]{40}
  std::string name;    // of one key alone among those that are live
  Grants grants;
  WallTime created{};
  std::optional<WallTime> expires;
  std::optional<WallTime> revoked;

  // "lam_<id>_<secret>", what a Bearer header carries.
  [[nodiscard]] std::string token() const;
  [[nodiscard]] bool is_expired(WallTime now) const { return expires && *expires <= now; }
  [[nodiscard]] bool is_live(WallTime now) const { return !revoked && !is_expired(now); }
};
using KeyPtr = std::shared_ptr<const Key>;

// The administrator's key that lambdad makes itself has this name, and no other may.
inline constexpr std::string_view kAdminName = "admin";

// Somebody to whom it matters that a key is revoked: until it is destroyed, which is before the
// table. Any thread.
class KeyWatch {
 public:
  virtual ~KeyWatch() = default;
};

class KeyTable {
 public:
  // A key with its last use, as far as it is known.
  struct Listed {
    KeyPtr key;
    std::optional<WallTime> used;
    std::string address;  // of that use; "" for none
  };

  // Loads every key of (account, region), and the master key from `data_directory` (made at the
  // first start). Errors: the database's and MasterKey's; invalid when a secret does not open,
  // which another master key sealed. `database` and `clock` outlive the table.
  static Result<std::unique_ptr<KeyTable>> load(Database& database, const Clock& clock,
                                                const std::filesystem::path& data_directory,
                                                std::string account, std::string region);
  // The same under a given master key (tests).
  static Result<std::unique_ptr<KeyTable>> load(Database& database, const Clock& clock,
                                                MasterKey master, std::string account,
                                                std::string region);

  // Revoked and expired ones too; null where there never was one.
  [[nodiscard]] KeyPtr find(std::string_view id) const;
  // By its id, or by the name of one that is not revoked (of several, the live one). null: none.
  [[nodiscard]] KeyPtr find_named(std::string_view id_or_name) const;
  // Oldest first, revoked ones too.
  [[nodiscard]] std::vector<Listed> list() const;

  // Errors: invalid (a name that is none, an end in the past), conflict (a live key has the name).
  Result<KeyPtr> create(std::string name, Grants grants,
                        std::optional<WallTime> expires = std::nullopt);
  // not_found where there is no such key; revoking twice is fine.
  Result<Done> revoke(std::string_view id);

  // `wake` is called when that key is revoked, on any thread and under a lock: it posts to
  // somewhere and no more. Of a key that was revoked before, find() tells.
  [[nodiscard]] std::unique_ptr<KeyWatch> watch(std::string id, std::function<void()> wake);

  // In memory alone, until save_uses(): once a minute is enough.
  void note_use(std::string_view id, std::string_view address);
  // What was noted since the last time; without a sync of the disk.
  Result<Done> save_uses();

  [[nodiscard]] const MasterKey& master() const { return master_; }

  // "lam_<id>_<secret>" -> (id, secret); nothing for any other text.
  static std::optional<std::pair<std::string, std::string>> parse_token(std::string_view token);

 private:
  struct Entry {
    KeyPtr key;
    std::optional<WallTime> used;
    std::string address;
    bool unsaved = false;
  };
  class Watch;
  using Entries = std::map<std::string, Entry, std::less<>>;
  KeyTable(Database& database, const Clock& clock, MasterKey master, std::string account,
           std::string region);
  Result<Done> read_all();
  [[nodiscard]] Result<Done> check_new(const Key& key) const;

  Database& database_;
  const Clock& clock_;
  MasterKey master_;
  std::string account_;
  std::string region_;
  mutable std::mutex mutex_;  // held for a look-up in memory only
  Entries keys_;
  std::multimap<std::string, Watch*, std::less<>> watches_;
};

}  // namespace lambda::store
