// API keys: who may call the control API. A key's secret must be known in the clear to check
// signatures, so it is stored sealed under the master key (context: the key's id) and held in
// memory.
//
// Threads: find() and list() from any thread, without a database query; create() and revoke() on
// the "store" thread, on disk when they return.
#pragma once

#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "store/database.h"
#include "store/master_key.h"

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::store {

struct Key {
  std::string id;      // [A-Z0-9]{20}
  std::string secret;  // [A-Za-z0-9]{40}
  std::string name;
  std::string scopes = "admin";
  WallTime created{};
  std::optional<WallTime> revoked;

  // "lam_<id>_<secret>", what a Bearer header carries.
  [[nodiscard]] std::string token() const;
};

class KeyTable {
 public:
  // Loads every key of (account, region), and the master key from `data_directory` (made at the
  // first start). Errors: the database's and MasterKey's; internal when a secret does not open.
  // `database` and `clock` outlive the table.
  static Result<std::unique_ptr<KeyTable>> load(Database& database, const Clock& clock,
                                                const std::filesystem::path& data_directory,
                                                std::string account, std::string region);
  // The same under a given master key (tests).
  static Result<std::unique_ptr<KeyTable>> load(Database& database, const Clock& clock,
                                                MasterKey master, std::string account,
                                                std::string region);

  // Not revoked ones only.
  [[nodiscard]] std::optional<Key> find(std::string_view id) const;
  // Oldest first, revoked ones too.
  [[nodiscard]] std::vector<Key> list() const;

  Result<Key> create(std::string name, std::string scopes);
  // not_found where there is no such key; revoking twice is fine.
  Result<Done> revoke(std::string_view id);

  [[nodiscard]] const MasterKey& master() const { return master_; }

  // "lam_<id>_<secret>" -> (id, secret); nothing for any other text.
  static std::optional<std::pair<std::string, std::string>> parse_token(std::string_view token);

 private:
  using Keys = std::map<std::string, Key, std::less<>>;
  KeyTable(Database& database, const Clock& clock, MasterKey master, std::string account,
           std::string region);
  Result<Done> read_all();

  Database& database_;
  const Clock& clock_;
  MasterKey master_;
  std::string account_;
  std::string region_;
  mutable std::mutex mutex_;  // held for a map look-up only
  Keys keys_;
};

}  // namespace lambda::store
