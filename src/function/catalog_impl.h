// The inside of the catalog, for catalog*.cc alone. A change computes the next state of one
// function as a value, saves what differs in one transaction, and only then publishes it to
// readers.
#pragma once

#include "function/catalog.h"
#include "function/catalog_rows.h"
#include "store/database.h"

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::function {

struct Catalog::Impl {
  Impl(store::Database& db, const Clock& c, Tenant t, store::MasterKey key)
      : database(db), clock(c), tenant(std::move(t)), master(std::move(key)) {}

  store::Database& database;
  const Clock& clock;
  Tenant tenant;
  store::MasterKey master;
  ForeignUse foreign;
  VersionNeeded needed;
  std::function<void(const std::vector<VersionPtr>&)> leaving_listener;
  std::function<void(const std::vector<VersionPtr>&, SnapshotPtr)> listener;

  mutable std::mutex mutex;  // guards `current` for the copy of a pointer
  SnapshotPtr current;

  [[nodiscard]] SnapshotPtr snapshot() const;
  [[nodiscard]] std::string arn(std::string_view name, std::string_view qualifier = {}) const;
  // Error: not_found "Function not found: ARN".
  [[nodiscard]] Result<FunctionPtr> find(std::string_view name) const;
  [[nodiscard]] tl::unexpected<Error> not_found(std::string_view name,
                                                std::string_view qualifier = {}) const;

  // `before` null: a new function.
  Result<Done> save(const FunctionPtr& before, Function after);
  Result<Done> remove(const FunctionPtr& function);
  void publish_snapshot(std::shared_ptr<Snapshot> next, const std::vector<VersionPtr>& gone);

  // A function without versions yet; its host label if the name can be one.
  [[nodiscard]] Function new_function(std::string name) const;
  // The next $LATEST with a fresh revision id.
  [[nodiscard]] std::shared_ptr<Version> next_draft(const Function& function) const;
  // Makes a numbered version of $LATEST.
  struct Publication {
    std::optional<std::string> description;
    std::string message;
    bool deployed = false;
  };
  VersionPtr publish(Function& function, const Publication& publication) const;
  // The version that PublishVersion would make again, or null when the draft has changed since.
  [[nodiscard]] static VersionPtr published_already(const Function& function);
  // The same for a publication by name: the clean-up of deploys leaves that version alone from now
  // on.
  [[nodiscard]] static VersionPtr kept_already(Function& function);
  // Points an alias; `live` also marks its version as having been live.
  void set_alias(Function& function, Alias alias) const;
  // Where `live` now answers with what the draft is.
  void note_live_draft(Function& function) const;
  // $LATEST is `draft` again, with these settings.
  void keep_draft(Function& function, const VersionPtr& draft, Configuration configuration) const;
  // All of `live`'s calls go to `number`. False: they did already.
  bool move_live(Function& function, std::uint64_t number) const;
  // Takes away the deployed versions that are too many, and that nothing uses.
  Result<std::vector<VersionPtr>> clean_up(Function& function, std::size_t keep);
};

// The aliases that point to that version, wholly or with a weight.
[[nodiscard]] std::vector<std::string> aliases_of(const Function& function, std::uint64_t number);

}  // namespace lambda::function
