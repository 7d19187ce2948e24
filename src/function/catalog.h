// The catalog: every function in memory, kept in step with SQLite.
//
// Threads: reading (snapshot, find, resolve) from any thread at any time, without blocking on
// writers: a reader copies one shared pointer under a mutex that is never held longer than such a
// copy (some 20 ns), and then reads immutable values. Changes run on the one "store" thread
// (BlockingPool with one thread; see run_blocking), each is one SQLite transaction with
// synchronous=FULL, and is visible to readers when it returns.
#pragma once

#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "function/function.h"
#include "store/master_key.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::store {
class Database;
}

namespace SQLite {  // NOLINT(readability-identifier-naming): the name is the library's
class Database;
}

namespace lambda::function {

// Account and region of this server, for ARNs and rows.
struct Tenant {
  std::string account = "000000000000";
  std::string region = "us-east-1";
};

// One state of the world; immutable.
struct Snapshot {
  std::map<std::string, FunctionPtr, std::less<>> functions;       // by name
  std::map<std::string, std::string, std::less<>> names_by_label;  // host label -> name
  std::uint64_t revision = 0;
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

// Everything `lambda deploy` changes at once.
struct DeployCommit {
  std::string function;
  Configuration configuration;
  Code code;
  std::string message;
  std::optional<UrlAuth> url;  // absent: as it was; a new function gets `open`
  LogSettingsChange logs;
  std::map<std::string, std::string> tags;  // added
  std::size_t keep_versions = 5;
  // The draft that `configuration` was made from; "" where there was no function.
  std::string expected_revision;
  // Of a function that is there: $LATEST keeps its code and has these settings; absent: it becomes
  // what is deployed.
  std::optional<Configuration> draft;
};

// A second version that an alias sends calls to, and its share of them, 0.0 to 1.0.
using VersionShare = std::pair<std::uint64_t, double>;

struct DeployOutcome {
  VersionPtr version;
  bool unchanged = false;              // same code and settings as the live version: no new version
  std::vector<VersionPtr> cleaned;     // older deployed versions that are gone now
  std::optional<VersionShare> shared;  // what a second version got of `live` until now
};

class Catalog {
 public:
  // Loads everything. Environment variables are sealed under `master` in the database. Errors: the
  // database's; internal (they do not open). `database` and `clock` outlive the catalog.
  static Result<std::unique_ptr<Catalog>> load(store::Database& database, const Clock& clock,
                                               Tenant tenant, store::MasterKey master);
  ~Catalog();

  // --- any thread
  [[nodiscard]] SnapshotPtr snapshot() const;
  [[nodiscard]] const Tenant& tenant() const;
  // Function and version for a name and a qualifier ("" = $LATEST, number, alias; weighted aliases
  // pick at random). Errors: not_found with AWS's wording ("Function not found: arn:...").
  [[nodiscard]] Result<Resolved> resolve(std::string_view name, std::string_view qualifier) const;
  // The same following `live` where there is one, else $LATEST.
  [[nodiscard]] Result<Resolved> resolve_live(std::string_view name) const;
  // What has become of them since they were resolved.
  [[nodiscard]] Standing standing(const Resolved& target) const;
  // Nearest existing name for a message ("did you mean"), or "".
  [[nodiscard]] std::string nearest_name(std::string_view name) const;
  [[nodiscard]] std::string function_arn(std::string_view name,
                                         std::string_view qualifier = {}) const;

  // --- the store thread
  // Everything that comes in is checked by function/validation.h; errors carry AWS's words:
  // conflict "Function already exist: NAME", not_found "Function not found: ARN", precondition,
  // validation ...
  Result<VersionPtr> create_function(std::string name, Configuration configuration, Code code,
                                     std::map<std::string, std::string> tags, bool publish);
  // `expected_revision` empty: not checked. precondition error when it differs.
  Result<VersionPtr> update_code(std::string_view name, Code code, std::string architecture,
                                 std::string_view expected_revision, bool publish);
  Result<VersionPtr> update_configuration(
      std::string_view name, const std::function<Result<Configuration>(Configuration)>& change,
      std::string_view expected_revision);
  // No change since the last publication: the existing version.
  Result<VersionPtr> publish_version(std::string_view name, std::string_view expected_code_sha256,
                                     std::optional<std::string> description,
                                     std::string_view expected_revision);
  // Its versions, aliases and tags go with it.
  Result<Done> delete_function(std::string_view name);
  // A version that is not there is fine, as on AWS. Errors: invalid ($LATEST), conflict (an alias
  // uses it).
  Result<Done> delete_version(std::string_view name, std::uint64_t number);

  Result<Alias> create_alias(std::string_view name, Alias alias);
  Result<Alias> update_alias(std::string_view name, std::string_view alias,
                             const std::function<Result<Alias>(Alias)>& change,
                             std::string_view expected_revision);
  // An alias that is not there is fine.
  Result<Done> delete_alias(std::string_view name, std::string_view alias);

  Result<Done> set_tags(std::string_view name, const std::map<std::string, std::string>& added,
                        const std::vector<std::string>& removed);
  // The function's URL as `change` makes it of what it is now; its times are set here.
  Result<UrlConfig> update_url(std::string_view name,
                               const std::function<Result<UrlConfig>(UrlConfig)>& change);
  Result<Done> set_reserved_concurrency(std::string_view name, std::optional<int> limit);
  // `change` is in range.
  Result<Done> set_log_settings(std::string_view name, const LogSettingsChange& change);

  // One transaction: $LATEST, a new version, `live`, and the clean-up of old deployed versions (the
  // newest `keep_versions` stay, and any that PublishVersion made, an alias uses, or is needed
  // elsewhere). Errors: conflict, when the draft is another than the deploy began with.
  Result<DeployOutcome> commit_deploy(DeployCommit commit);
  struct LiveMove {
    VersionPtr from;  // may be null
    VersionPtr to;
    std::optional<VersionShare> shared;  // what a second version got until now
  };
  // To `number`, or without one to the newest version below the current that was ever live; from ==
  // to when it is there already. All calls go there then. `expected`: the revision of `number`; "":
  // any. Errors: not_found, invalid (nothing to roll back to), conflict (another revision).
  Result<LiveMove> rollback(std::string_view name, std::optional<std::uint64_t> number,
                            std::string_view expected = {});
  // Publishes $LATEST if needed, or takes `number`, and moves `live` to it. `expected`: the
  // revision of that one. Errors: not_found, conflict.
  Result<LiveMove> promote(std::string_view name, std::optional<std::uint64_t> number,
                           std::string_view expected = {});

  // Asked about a deployed version before it is cleaned up, in a transaction on the store thread:
  // whether something outside of the catalog still needs it. Set before the first change.
  using VersionNeeded = std::function<bool(SQLite::Database&, const Version&)>;
  void on_clean_up(VersionNeeded needed);
  // Called by a change that is in the database and not yet seen by readers, on the store thread,
  // with the versions that they still find and will not find a moment later. Who keeps a list of
  // versions that are gone and reads the catalog before that list misses none.
  void on_leaving(std::function<void(const std::vector<VersionPtr>& leaving)> listener);
  // Called after each change, on the store thread, with the versions that calls can no longer reach
  // (retire their instances).
  void on_change(
      std::function<void(const std::vector<VersionPtr>& gone, SnapshotPtr now)> listener);
  // Every package digest and image id that some version uses.
  [[nodiscard]] std::vector<std::string> used_packages() const;
  [[nodiscard]] std::vector<std::string> used_images() const;
  [[nodiscard]] bool uses_image(std::string_view image_id) const;

 private:
  struct Impl;
  explicit Catalog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lambda::function
