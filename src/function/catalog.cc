// Loading, reading, and the one way in which a change reaches the database and the readers.
#include "function/catalog.h"

#include "base/crypto.h"
#include "base/nearest_word.h"
#include "function/catalog_impl.h"
#include "function/environment_seal.h"
#include "function/validation.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <random>
#include <ranges>

namespace lambda::function {
namespace {

// A share in [0, 1), from a generator of the calling thread.
double random_share() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.0, 1.0)(generator);
}

std::uint64_t pick_version(const Alias& alias) {
  if (alias.additional && random_share() < alias.additional->second) {
    return alias.additional->first;
  }
  return alias.version;
}

// Versions of `before` that no call can reach in `after`.
std::vector<VersionPtr> unreachable(const Function& before, const Function& after) {
  std::vector<VersionPtr> gone;
  if (before.latest->revision_id != after.latest->revision_id) gone.push_back(before.latest);
  for (const auto& [number, version] : before.versions) {
    if (!after.versions.contains(number)) gone.push_back(version);
  }
  return gone;
}

// What the versions of all functions have as that part of their code, with what others have:
// sorted, each once.
std::vector<std::string> used_by_any(const Snapshot& now, std::string Code::*part,
                                     std::vector<std::string> used) {
  for (const auto& [name, function] : now.functions) {
    used.push_back(function->latest->code.*part);
    for (const auto& [number, version] : function->versions) used.push_back(version->code.*part);
  }
  std::ranges::sort(used);
  used.erase(std::unique(used.begin(), used.end()), used.end());
  std::erase(used, "");
  return used;
}

}  // namespace

SnapshotPtr Catalog::Impl::snapshot() const {
  const std::lock_guard guard(mutex);
  return current;
}

std::string Catalog::Impl::arn(std::string_view name, std::string_view qualifier) const {
  return fmt::format("arn:aws:lambda:{}:{}:function:{}{}{}", tenant.region, tenant.account, name,
                     qualifier.empty() ? "" : ":", qualifier);
}

tl::unexpected<Error> Catalog::Impl::not_found(std::string_view name,
                                               std::string_view qualifier) const {
  return fail(ErrorCode::not_found, "Function not found: {}", arn(name, qualifier));
}

Result<FunctionPtr> Catalog::Impl::find(std::string_view name) const {
  const auto now = snapshot();
  const auto found = now->functions.find(name);
  if (found == now->functions.end()) return not_found(name);
  return found->second;
}

Result<Done> Catalog::Impl::save(const FunctionPtr& before, Function after) {
  auto work = [&](SQLite::Database& connection) {
    save_function(connection, tenant, master, before.get(), after);
  };
  if (auto saved = database.change("save function " + after.name, work); !saved) return saved;
  const auto gone = before ? unreachable(*before, after) : std::vector<VersionPtr>();
  auto next = std::make_shared<Snapshot>(*snapshot());
  if (!after.host_label.empty()) next->names_by_label[after.host_label] = after.name;
  auto& place = next->functions[after.name];
  place = std::make_shared<const Function>(std::move(after));
  publish_snapshot(std::move(next), gone);
  return Done{};
}

Result<Done> Catalog::Impl::remove(const FunctionPtr& function) {
  auto work = [&](SQLite::Database& connection) {
    remove_function(connection, tenant, function->name);
  };
  if (auto removed = database.change("delete function " + function->name, work); !removed) {
    return removed;
  }
  std::vector<VersionPtr> gone{function->latest};
  for (const auto& [number, version] : function->versions) gone.push_back(version);
  auto next = std::make_shared<Snapshot>(*snapshot());
  next->functions.erase(function->name);
  if (!function->host_label.empty()) next->names_by_label.erase(function->host_label);
  publish_snapshot(std::move(next), gone);
  return Done{};
}

void Catalog::Impl::publish_snapshot(std::shared_ptr<Snapshot> next,
                                     const std::vector<VersionPtr>& gone) {
  if (leaving_listener) leaving_listener(gone);
  ++next->revision;
  SnapshotPtr published = std::move(next);
  {
    const std::lock_guard guard(mutex);
    current.swap(published);
  }
  // The old state (now in `published`) is let go outside of the lock.
  if (listener) listener(gone, snapshot());
}

Catalog::Catalog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Catalog::~Catalog() = default;

Result<std::unique_ptr<Catalog>> Catalog::load(store::Database& database, const Clock& clock,
                                               Tenant tenant, store::MasterKey master) {
  if (auto sealed = seal_stored_environments(database, master); !sealed)
    return fail(std::move(sealed.error()));
  auto impl = std::make_unique<Impl>(database, clock, std::move(tenant), std::move(master));
  Result<std::vector<FunctionPtr>> functions;
  auto work = [&](SQLite::Database& connection) {
    functions = load_functions(connection, impl->tenant, impl->master);
    impl->foreign = load_foreign_use(connection, impl->tenant);
  };
  if (auto read = database.read("load functions", work); !read) {
    return fail(std::move(read.error()));
  }
  if (!functions) return fail(std::move(functions.error()));
  if (impl->foreign.functions > 0) {
    spdlog::warn(
        "{} function(s) in this data directory belong to another account or region than {} in {}: "
        "they are kept and not served",
        impl->foreign.functions, impl->tenant.account, impl->tenant.region);
  }
  auto snapshot = std::make_shared<Snapshot>();
  for (auto& function : *functions) {
    if (!function->host_label.empty()) {
      snapshot->names_by_label.emplace(function->host_label, function->name);
    }
    snapshot->functions.emplace(function->name, function);
  }
  impl->current = std::move(snapshot);
  return std::unique_ptr<Catalog>(new Catalog(std::move(impl)));
}

SnapshotPtr Catalog::snapshot() const {
  return impl_->snapshot();
}

const Tenant& Catalog::tenant() const {
  return impl_->tenant;
}

Result<Resolved> Catalog::resolve(std::string_view name, std::string_view qualifier) const {
  auto function = impl_->find(name);
  if (!function) return impl_->not_found(name, qualifier);
  Resolved resolved;
  resolved.qualifier = qualifier;
  if (qualifier.empty()) {
    resolved.version = (*function)->latest;
  } else if (const auto number = parse_version(qualifier)) {
    resolved.version = (*function)->version(*number);
  } else if (const auto alias = (*function)->aliases.find(std::string(qualifier));
             alias != (*function)->aliases.end()) {
    resolved.version = (*function)->version(pick_version(alias->second));
  }
  if (!resolved.version) return impl_->not_found(name, qualifier);
  resolved.function = std::move(*function);
  return resolved;
}

Result<Resolved> Catalog::resolve_live(std::string_view name) const {
  auto function = impl_->find(name);
  if (!function) return fail(std::move(function.error()));
  Resolved resolved;
  resolved.version = (*function)->latest;
  if (const auto* live = (*function)->live()) {
    resolved.version = (*function)->version(pick_version(*live));
    resolved.qualifier = kLiveAlias;
  }
  resolved.function = std::move(*function);
  return resolved;
}

Standing Catalog::standing(const Resolved& target) const {
  const auto found = impl_->find(target.function->name);
  // Another function of that name was made later.
  if (!found || (*found)->created != target.function->created) return Standing::deleted;
  const auto version = (*found)->version(target.version->number);
  const bool same = version && version->revision_id == target.version->revision_id;
  return same ? Standing::current : Standing::replaced;
}

std::string Catalog::nearest_name(std::string_view name) const {
  constexpr std::size_t longest_name = 64;
  if (name.empty() || name.size() > longest_name) return {};
  NearestWord nearest(name);
  const auto now = snapshot();
  for (const auto& [other, function] : now->functions) nearest.offer(other);
  return nearest.best();
}

std::string Catalog::function_arn(std::string_view name, std::string_view qualifier) const {
  return impl_->arn(name, qualifier);
}

void Catalog::on_clean_up(VersionNeeded needed) {
  impl_->needed = std::move(needed);
}

void Catalog::on_leaving(std::function<void(const std::vector<VersionPtr>& leaving)> listener) {
  impl_->leaving_listener = std::move(listener);
}

void Catalog::on_change(
    std::function<void(const std::vector<VersionPtr>& gone, SnapshotPtr now)> listener) {
  impl_->listener = std::move(listener);
}

std::vector<std::string> Catalog::used_packages() const {
  return used_by_any(*snapshot(), &Code::package_digest, impl_->foreign.packages);
}

std::vector<std::string> Catalog::used_images() const {
  return used_by_any(*snapshot(), &Code::image_id, impl_->foreign.images);
}

bool Catalog::uses_image(std::string_view image_id) const {
  if (std::ranges::find(impl_->foreign.images, image_id) != impl_->foreign.images.end())
    return true;
  const auto now = snapshot();
  const auto has = [image_id](const VersionPtr& version) {
    return version->code.image_id == image_id;
  };
  return std::ranges::any_of(now->functions | std::views::values, [&](const auto& function) {
    return has(function->latest) ||
           std::ranges::any_of(function->versions | std::views::values, has);
  });
}

}  // namespace lambda::function
