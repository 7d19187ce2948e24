// Aliases: names that point to a version, or with weights to two.
#include "base/crypto.h"
#include "function/catalog_impl.h"
#include "function/validation.h"

namespace lambda::function {
namespace {

// What an alias may point to.
Result<Done> check_target(const Function& function, const Alias& alias,
                          const std::function<std::string(std::string_view)>& arn) {
  ValidationErrors errors;
  errors.check_length("description", alias.description, 0, 256);
  if (auto good = errors.result(); !good) return good;
  auto missing = [&](std::uint64_t number) {
    return fail(ErrorCode::not_found, "Function not found: {}", arn(std::to_string(number)));
  };
  if (!function.version(alias.version)) return missing(alias.version);
  if (!alias.additional) return Done{};
  const auto [number, weight] = *alias.additional;
  if (alias.version == 0 || number == 0) {
    return fail(ErrorCode::invalid,
                "$LATEST is not supported for an alias pointing to more than 1 version");
  }
  if (number == alias.version) {
    return fail(ErrorCode::invalid,
                "Invalid function version {0}. Function version {0} is already included in routing "
                "configuration.",
                number);
  }
  const std::map<std::string, double> weights{{std::to_string(number), weight}};
  if (auto good = parse_version_weights(weights); !good) return fail(std::move(good.error()));
  if (!function.version(number)) return missing(number);
  return Done{};
}

}  // namespace

std::vector<std::string> aliases_of(const Function& function, std::uint64_t number) {
  std::vector<std::string> names;
  for (const auto& [name, alias] : function.aliases) {
    if (alias.version == number || (alias.additional && alias.additional->first == number)) {
      names.push_back(name);
    }
  }
  return names;
}

void Catalog::Impl::set_alias(Function& function, Alias alias) const {
  alias.revision_id = random_uuid();
  const auto old = function.aliases.find(alias.name);
  const bool moved = old == function.aliases.end() || old->second.version != alias.version;
  if (alias.name == kLiveAlias && alias.version != 0 && moved) {
    auto version = std::make_shared<Version>(*function.version(alias.version));
    version->live_since = clock.now();
    function.versions[alias.version] = std::move(version);
  }
  const bool live = alias.name == kLiveAlias;
  function.aliases[alias.name] = std::move(alias);
  if (live) note_live_draft(function);
}

void Catalog::Impl::note_live_draft(Function& function) const {
  if (function.latest->live_since || !function.is_as_draft(*function.answering())) return;
  auto draft = std::make_shared<Version>(*function.latest);
  draft->live_since = clock.now();
  function.latest = std::move(draft);
}

Result<Alias> Catalog::create_alias(std::string_view name, Alias alias) {
  if (auto good = check_alias_name(alias.name); !good) return fail(std::move(good.error()));
  auto before = impl_->find(name);
  if (!before) return fail(std::move(before.error()));
  if ((*before)->aliases.contains(alias.name)) {
    return fail(ErrorCode::conflict, "Alias already exists: {}", impl_->arn(name, alias.name));
  }
  auto arn = [&](std::string_view qualifier) { return impl_->arn(name, qualifier); };
  if (auto good = check_target(**before, alias, arn); !good) return fail(std::move(good.error()));
  Function after = **before;
  const std::string key = alias.name;
  impl_->set_alias(after, std::move(alias));
  Alias made = after.aliases.at(key);
  if (auto saved = impl_->save(*before, std::move(after)); !saved) {
    return fail(std::move(saved.error()));
  }
  return made;
}

Result<Alias> Catalog::update_alias(std::string_view name, std::string_view alias,
                                    const std::function<Result<Alias>(Alias)>& change,
                                    std::string_view expected_revision) {
  auto before = impl_->find(name);
  if (!before) return fail(std::move(before.error()));
  const std::string key(alias);
  const auto found = (*before)->aliases.find(key);
  if (found == (*before)->aliases.end()) {
    return fail(ErrorCode::not_found, "Alias not found: {}", impl_->arn(name, alias));
  }
  if (auto good = check_revision(expected_revision, found->second.revision_id); !good) {
    return fail(std::move(good.error()));
  }
  auto changed = change(found->second);
  if (!changed) return changed;
  changed->name = key;
  auto arn = [&](std::string_view qualifier) { return impl_->arn(name, qualifier); };
  if (auto good = check_target(**before, *changed, arn); !good) {
    return fail(std::move(good.error()));
  }
  Function after = **before;
  impl_->set_alias(after, std::move(*changed));
  Alias made = after.aliases.at(key);
  if (auto saved = impl_->save(*before, std::move(after)); !saved) {
    return fail(std::move(saved.error()));
  }
  return made;
}

Result<Done> Catalog::delete_alias(std::string_view name, std::string_view alias) {
  auto before = impl_->find(name);
  if (!before) return fail(std::move(before.error()));
  Function after = **before;
  if (after.aliases.erase(std::string(alias)) == 0) return Done{};
  return impl_->save(*before, std::move(after));
}

}  // namespace lambda::function
