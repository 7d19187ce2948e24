// The secrets of this server's functions: sealed under the master key in the database and in
// memory, each for its own account, region, function and name, so that no row's can be put into
// another. They are opened when an instance starts, without a look into the database.
//
// Threads: put(), remove() and forget() on the "store" thread, on disk when they return; the others
// on any thread.
#pragma once

#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "function/catalog.h"
#include "function/secret.h"
#include "store/master_key.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lambda::function {

class SecretTable {
 public:
  // Loads all of one tenant, and looks whether each opens. Errors: the database's; internal (a
  // secret was sealed under another master key: says how to restore). `database` and `clock`
  // outlive it.
  static Result<std::unique_ptr<SecretTable>> load(store::Database& database, const Clock& clock,
                                                   Tenant tenant, store::MasterKey master);

  // Makes or replaces one. Without a form it has the one that it had, or becomes an environment
  // variable. Errors: invalid, too_large, the database's.
  Result<Secret> put(std::string function, std::string name, std::optional<SecretForm> form,
                     std::string_view value);
  // Error: not_found, with the name that may be meant.
  Result<Done> remove(std::string_view function, std::string_view name);
  // Of a function that was deleted: its rows went with it.
  void forget(std::string_view function);

  // By function, the shared ones first, then by name.
  [[nodiscard]] std::vector<Secret> list() const;
  // Goes up with every change.
  [[nodiscard]] std::uint64_t revision() const { return revision_.load(); }
  // What an instance of the function that asks for these gets: those, its own before a shared one
  // of that name, and all others of its own. Error: invalid (asks for one that does not exist: what
  // to do; a value that the wanted form cannot hold).
  [[nodiscard]] Result<SecretValues> values_for(std::string_view function,
                                                const SecretReferences& asked) const;
  // The same without the values.
  [[nodiscard]] Result<std::vector<Secret>> secrets_for(std::string_view function,
                                                        const SecretReferences& asked) const;
  // Twelve hex digits that change with the value. Who lacks the master key learns nothing from
  // them, nor whether two secrets are the same.
  [[nodiscard]] std::string digest(std::string_view function, std::string_view name,
                                   std::string_view value) const;

 private:
  struct Entry {
    Secret secret;
    std::string sealed;
  };
  using Id = std::pair<std::string, std::string>;  // function, name
  SecretTable(store::Database& database, const Clock& clock, Tenant tenant,
              store::MasterKey master);
  Result<Done> read_all();
  [[nodiscard]] std::string context(std::string_view function, std::string_view name) const;
  [[nodiscard]] Result<std::string> open(const Entry& entry) const;
  [[nodiscard]] Result<std::vector<Entry>> entries_for(std::string_view function,
                                                       const SecretReferences& asked) const;
  [[nodiscard]] std::string nearest(std::string_view function, std::string_view name) const;
  Result<Done> save(const Entry& entry);

  store::Database& database_;
  const Clock& clock_;
  Tenant tenant_;
  store::MasterKey master_;
  mutable std::mutex mutex_;  // held to look some up, or to change one
  std::map<Id, Entry> entries_;
  std::atomic<std::uint64_t> revision_{0};
};

}  // namespace lambda::function
