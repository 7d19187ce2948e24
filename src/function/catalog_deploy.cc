// What moves `live`: the commit of a deploy, rollback, promote.
//
// A commit's steps: checks -> the same as what is live? -> new $LATEST -> publish -> the former
// $LATEST again, where it is kept -> move `live` -> clean up old deployed versions -> save it all
// in one transaction.
#include "base/crypto.h"
#include "base/deploy_rules.h"
#include "function/catalog_impl.h"
#include "function/validation.h"

#include <spdlog/fmt/ranges.h>

#include <algorithm>

namespace lambda::function {
namespace {

// Two uploads of one folder, or two builds with the same outcome, whatever they were called.
bool same_code(const Code& a, const Code& b) {
  return a.package_digest == b.package_digest && a.image_id == b.image_id;
}

bool is_same(const Version& version, const DeployCommit& commit) {
  return same_code(version.code, commit.code) && version.configuration == commit.configuration;
}

Result<Done> check_commit(const DeployCommit& commit) {
  if (auto good = check_function_name(commit.function); !good) return good;
  if (auto good = check_deploy_name(commit.function); !good) return good;
  if (auto good = check_configuration(commit.configuration); !good) return good;
  return commit.draft ? check_configuration(*commit.draft) : Result<Done>(Done{});
}

// The version that `live` points to; null where there is no `live`.
VersionPtr live_version(const Function& function) {
  const auto* live = function.live();
  return live == nullptr ? nullptr : function.version(live->version);
}

std::optional<VersionShare> live_share(const Function& function) {
  const auto* live = function.live();
  return live == nullptr ? std::nullopt : live->additional;
}

// The deployed versions but the newest `keep`, and but what an alias uses.
std::vector<VersionPtr> superseded(const Function& function, std::size_t keep) {
  std::vector<VersionPtr> deployed;
  for (const auto& [number, version] : function.versions) {
    if (version->deployed) deployed.push_back(version);
  }
  if (deployed.size() <= keep) return {};
  deployed.resize(deployed.size() - keep);
  std::erase_if(deployed, [&function](const VersionPtr& version) {
    return !aliases_of(function, version->number).empty();
  });
  return deployed;
}

// Where somebody has looked at what is made live: it is still that.
Result<Done> check_revision(const Version& version, std::string_view expected) {
  if (expected.empty() || version.revision_id == expected) return Done{};
  return fail(
      ErrorCode::conflict,
      "{} of {} was changed by somebody else meanwhile, and nothing was made live: try again",
      version.is_latest() ? "$LATEST" : "version " + version.label(), version.function);
}

tl::unexpected<Error> no_such_version(const Function& function, std::uint64_t number) {
  std::vector<std::uint64_t> numbers;
  numbers.reserve(function.versions.size());
  for (const auto& [known, version] : function.versions) numbers.push_back(known);
  if (numbers.empty()) {
    return fail(ErrorCode::not_found, "{} has no version {}: it has no published version yet",
                function.name, number);
  }
  const std::string_view cleaned =
      number != 0 && number < function.next_version ? " (it was cleaned up or deleted)" : "";
  return fail(ErrorCode::not_found, "{} has no version {}{}: it has {}", function.name, number,
              cleaned, fmt::join(numbers, ", "));
}

// Two that share `live`: the older one had all calls before, or the alias names it first.
std::uint64_t before_sharing(const Function& function, const Alias& live) {
  const auto older = std::min(live.version, live.additional->first);
  const auto version = function.version(older);
  return version && version->live_since ? older : live.version;
}

// Where `live` is shared, the version that it was before; else the newest below the live one that
// was ever live.
Result<std::uint64_t> rollback_target(const Function& function) {
  const auto* live = function.live();
  if (live == nullptr) {
    return fail(ErrorCode::invalid,
                "{} has no live version to roll back from: make one live with `lambda promote {}`",
                function.name, function.name);
  }
  if (live->additional) return before_sharing(function, *live);
  // $LATEST, which `live` may point to, is newer than every version.
  const std::uint64_t current = live->version == 0 ? function.next_version : live->version;
  std::uint64_t target = 0;
  for (const auto& [number, version] : function.versions) {
    if (number < current && version->live_since) target = number;
  }
  if (target != 0) return target;
  if (live->version == 0) {
    return fail(ErrorCode::invalid,
                "there is no older version to roll back to: no published version was ever live");
  }
  const bool all_there = function.versions.size() + 1 == function.next_version;
  return fail(ErrorCode::invalid, "there is no older version to roll back to: version {} is the {}",
              current,
              all_there ? "first that was ever live" : "oldest kept of those that were ever live");
}

}  // namespace

Result<std::vector<VersionPtr>> Catalog::Impl::clean_up(Function& function, std::size_t keep) {
  auto old = superseded(function, keep);
  if (!old.empty() && needed) {
    // On the connection that writes, which waits for no reader.
    auto ask = [&](SQLite::Database& connection) {
      std::erase_if(old, [&](const VersionPtr& version) { return needed(connection, *version); });
    };
    const auto what = "see which versions of " + function.name + " are needed";
    if (auto asked = database.change(what, ask); !asked) return fail(std::move(asked.error()));
  }
  for (const auto& version : old) function.versions.erase(version->number);
  return old;
}

void Catalog::Impl::keep_draft(Function& function, const VersionPtr& draft,
                               Configuration configuration) const {
  function.latest = draft;
  if (draft->configuration == configuration) return;
  auto next = next_draft(function);
  next->configuration = std::move(configuration);
  function.latest = std::move(next);
}

bool Catalog::Impl::move_live(Function& function, std::uint64_t number) const {
  Alias alias;
  if (const auto* live = function.live()) {
    if (live->version == number && !live->additional) return false;
    alias = *live;
  }
  alias.name = kLiveAlias;
  alias.version = number;
  alias.additional.reset();
  set_alias(function, std::move(alias));
  return true;
}

Result<DeployOutcome> Catalog::commit_deploy(DeployCommit commit) {
  if (auto good = check_commit(commit); !good) return fail(std::move(good.error()));
  FunctionPtr before;
  if (auto found = impl_->find(commit.function)) before = std::move(*found);
  if ((before ? before->latest->revision_id : "") != commit.expected_revision) {
    return fail(ErrorCode::conflict,
                "{} was changed by somebody else while this deploy ran, and nothing of the deploy "
                "was kept: deploy again",
                commit.function);
  }
  Function after = before ? *before : impl_->new_function(commit.function);
  for (const auto& [key, value] : commit.tags) after.tags[key] = value;
  if (auto good = check_tags(after.tags); !good) return fail(std::move(good.error()));
  if (commit.url || !before) {
    const auto auth = commit.url.value_or(UrlAuth::open);
    if (auth != after.url.auth) after.url.modified = impl_->clock.now();
    after.url.auth = auth;
  }

  commit.logs.apply_to(after.logs);

  DeployOutcome outcome;
  outcome.shared = live_share(after);
  const auto live = live_version(after);
  outcome.unchanged = live && !live->is_latest() && is_same(*live, commit);
  if (!after.latest || !is_same(*after.latest, commit)) {
    auto draft = impl_->next_draft(after);
    draft->configuration = std::move(commit.configuration);
    draft->code = std::move(commit.code);
    after.latest = draft;
  }
  std::uint64_t number = 0;
  if (outcome.unchanged) {
    number = live->number;
  } else {
    Impl::Publication publication;
    publication.message = std::move(commit.message);
    publication.deployed = true;
    number = impl_->publish(after, publication)->number;
  }
  if (commit.draft && before) impl_->keep_draft(after, before->latest, std::move(*commit.draft));
  impl_->move_live(after, number);
  impl_->note_live_draft(after);
  if (!outcome.unchanged) {
    auto cleaned = impl_->clean_up(after, commit.keep_versions);
    if (!cleaned) return fail(std::move(cleaned.error()));
    outcome.cleaned = std::move(*cleaned);
  }
  outcome.version = after.version(number);
  if (auto saved = impl_->save(before, std::move(after)); !saved) {
    return fail(std::move(saved.error()));
  }
  return outcome;
}

Result<Catalog::LiveMove> Catalog::rollback(std::string_view name,
                                            std::optional<std::uint64_t> number,
                                            std::string_view expected) {
  auto before = impl_->find(name);
  if (!before) return fail(std::move(before.error()));
  if (!number) {
    auto target = rollback_target(**before);
    if (!target) return fail(std::move(target.error()));
    number = *target;
  }
  if (*number == 0 || !(*before)->version(*number)) return no_such_version(**before, *number);
  if (auto same = check_revision(*(*before)->version(*number), expected); !same)
    return fail(std::move(same.error()));
  Function after = **before;
  LiveMove move;
  move.from = live_version(after);
  move.shared = live_share(after);
  const bool moved = impl_->move_live(after, *number);
  move.to = after.version(*number);
  if (!moved) return move;
  if (auto saved = impl_->save(*before, std::move(after)); !saved) {
    return fail(std::move(saved.error()));
  }
  return move;
}

Result<Catalog::LiveMove> Catalog::promote(std::string_view name,
                                           std::optional<std::uint64_t> number,
                                           std::string_view expected) {
  auto before = impl_->find(name);
  if (!before) return fail(std::move(before.error()));
  Function after = **before;
  if (number && (*number == 0 || !after.version(*number)))
    return no_such_version(**before, *number);
  const auto target = number ? after.version(*number) : after.latest;
  if (auto same = check_revision(*target, expected); !same) return fail(std::move(same.error()));
  LiveMove move;
  move.from = live_version(after);
  move.shared = live_share(after);
  if (!number) {
    auto version = Impl::published_already(after);
    if (!version) version = impl_->publish(after, {});
    number = version->number;
  }
  const bool moved = impl_->move_live(after, *number);
  move.to = after.version(*number);
  if (!moved) return move;
  if (auto saved = impl_->save(*before, std::move(after)); !saved) {
    return fail(std::move(saved.error()));
  }
  return move;
}

}  // namespace lambda::function
