// Changes of one function: its draft, its published versions, its tags, URL and limits.
#include "base/crypto.h"
#include "base/deploy_rules.h"
#include "function/catalog_impl.h"
#include "function/validation.h"

#include <spdlog/fmt/ranges.h>

namespace lambda::function {
namespace {

constexpr int kLeastUnreserved = 100;

}  // namespace

Function Catalog::Impl::new_function(std::string name) const {
  Function function;
  function.name = std::move(name);
  if (is_host_label(function.name)) function.host_label = function.name;
  function.created = clock.now();
  function.url.created = function.created;
  function.url.modified = function.created;
  return function;
}

std::shared_ptr<Version> Catalog::Impl::next_draft(const Function& function) const {
  auto draft =
      function.latest ? std::make_shared<Version>(*function.latest) : std::make_shared<Version>();
  draft->function = function.name;
  draft->revision_id = random_uuid();
  draft->last_modified = clock.now();
  draft->last_update = UpdateStatus::successful;
  draft->live_since.reset();
  return draft;
}

VersionPtr Catalog::Impl::publish(Function& function, const Publication& publication) const {
  auto version = std::make_shared<Version>(*function.latest);
  version->number = function.next_version++;
  version->revision_id = random_uuid();
  version->last_modified = clock.now();
  version->message = publication.message;
  version->deployed = publication.deployed;
  version->live_since.reset();
  version->draft_description = function.latest->configuration.description;
  if (publication.description) version->configuration.description = *publication.description;
  function.versions[version->number] = version;
  return version;
}

VersionPtr Catalog::Impl::published_already(const Function& function) {
  if (function.next_version < 2) return nullptr;
  auto last = function.version(function.next_version - 1);
  return last && function.is_as_draft(*last) ? last : nullptr;
}

VersionPtr Catalog::Impl::kept_already(Function& function) {
  auto known = published_already(function);
  if (!known || !known->deployed) return known;
  auto kept = std::make_shared<Version>(*known);
  kept->deployed = false;
  function.versions[known->number] = kept;
  return kept;
}

Result<VersionPtr> Catalog::create_function(std::string name, Configuration configuration,
                                            Code code, std::map<std::string, std::string> tags,
                                            bool publish) {
  if (auto good = check_function_name(name); !good) return fail(std::move(good.error()));
  if (auto good = check_configuration(configuration); !good) return fail(std::move(good.error()));
  if (auto good = check_package_type(configuration, code); !good) {
    return fail(std::move(good.error()));
  }
  if (auto good = check_tags(tags); !good) return fail(std::move(good.error()));
  if (impl_->find(name)) return fail(ErrorCode::conflict, "Function already exist: {}", name);
  Function function = impl_->new_function(std::move(name));
  function.tags = std::move(tags);
  auto draft = impl_->next_draft(function);
  draft->configuration = std::move(configuration);
  draft->code = std::move(code);
  function.latest = draft;
  VersionPtr made = function.latest;
  if (publish) made = impl_->publish(function, {});
  if (auto saved = impl_->save(nullptr, std::move(function)); !saved) {
    return fail(std::move(saved.error()));
  }
  return made;
}

Result<VersionPtr> Catalog::update_code(std::string_view name, Code code, std::string architecture,
                                        std::string_view expected_revision, bool publish) {
  auto before = impl_->find(name);
  if (!before) return fail(std::move(before.error()));
  const auto& latest = *(*before)->latest;
  if (auto good = check_revision(expected_revision, latest.revision_id); !good) {
    return fail(std::move(good.error()));
  }
  if (auto good = check_package_type(latest.configuration, code); !good) {
    return fail(std::move(good.error()));
  }
  Function after = **before;
  auto draft = impl_->next_draft(after);
  draft->code = std::move(code);
  if (!architecture.empty()) draft->configuration.architecture = std::move(architecture);
  if (auto good = check_configuration(draft->configuration); !good) {
    return fail(std::move(good.error()));
  }
  after.latest = draft;
  VersionPtr made = after.latest;
  if (publish) {
    made = Impl::kept_already(after);
    if (!made) made = impl_->publish(after, {});
  }
  if (auto saved = impl_->save(*before, std::move(after)); !saved) {
    return fail(std::move(saved.error()));
  }
  return made;
}

Result<VersionPtr> Catalog::update_configuration(
    std::string_view name, const std::function<Result<Configuration>(Configuration)>& change,
    std::string_view expected_revision) {
  auto before = impl_->find(name);
  if (!before) return fail(std::move(before.error()));
  const auto& latest = *(*before)->latest;
  if (auto good = check_revision(expected_revision, latest.revision_id); !good) {
    return fail(std::move(good.error()));
  }
  auto configuration = change(latest.configuration);
  if (!configuration) return fail(std::move(configuration.error()));
  if (auto good = check_configuration(*configuration); !good) return fail(std::move(good.error()));
  if (configuration->package_type != latest.configuration.package_type) {
    return fail(ErrorCode::invalid, "PackageType cannot be changed: create another function");
  }
  Function after = **before;
  auto draft = impl_->next_draft(after);
  draft->configuration = std::move(*configuration);
  after.latest = draft;
  VersionPtr made = after.latest;
  if (auto saved = impl_->save(*before, std::move(after)); !saved) {
    return fail(std::move(saved.error()));
  }
  return made;
}

Result<VersionPtr> Catalog::publish_version(std::string_view name,
                                            std::string_view expected_code_sha256,
                                            std::optional<std::string> description,
                                            std::string_view expected_revision) {
  auto before = impl_->find(name);
  if (!before) return fail(std::move(before.error()));
  const auto& latest = *(*before)->latest;
  if (auto good = check_revision(expected_revision, latest.revision_id); !good) {
    return fail(std::move(good.error()));
  }
  if (!expected_code_sha256.empty() && expected_code_sha256 != latest.code.sha256) {
    return fail(ErrorCode::invalid,
                "CodeSHA256 ({}) is different from current CodeSHA256 in $LATEST ({}). Please try "
                "again with the CodeSHA256 in $LATEST.",
                expected_code_sha256, latest.code.sha256);
  }
  if (description) {
    ValidationErrors errors;
    errors.check_length("description", *description, 0, 256);
    if (auto good = errors.result(); !good) return fail(std::move(good.error()));
  }
  Function after = **before;
  auto made = Impl::kept_already(after);
  if (made && made == (*before)->version(made->number)) return made;
  if (!made) {
    Impl::Publication publication;
    publication.description = std::move(description);
    made = impl_->publish(after, publication);
  }
  if (auto saved = impl_->save(*before, std::move(after)); !saved) {
    return fail(std::move(saved.error()));
  }
  return made;
}

Result<Done> Catalog::delete_function(std::string_view name) {
  auto function = impl_->find(name);
  if (!function) return fail(std::move(function.error()));
  return impl_->remove(*function);
}

Result<Done> Catalog::delete_version(std::string_view name, std::uint64_t number) {
  auto before = impl_->find(name);
  if (!before) return fail(std::move(before.error()));
  if (number == 0) {
    return fail(ErrorCode::invalid,
                "$LATEST version cannot be deleted without deleting the function.");
  }
  if (!(*before)->version(number)) return Done{};
  if (const auto users = aliases_of(**before, number); !users.empty()) {
    return fail(ErrorCode::conflict,
                "Unable to delete version because the following aliases reference it: [{}]",
                fmt::join(users, ", "));
  }
  Function after = **before;
  after.versions.erase(number);
  return impl_->save(*before, std::move(after));
}

Result<Done> Catalog::set_tags(std::string_view name,
                               const std::map<std::string, std::string>& added,
                               const std::vector<std::string>& removed) {
  auto before = impl_->find(name);
  if (!before) return fail(std::move(before.error()));
  Function after = **before;
  for (const auto& key : removed) after.tags.erase(key);
  for (const auto& [key, value] : added) after.tags[key] = value;
  if (auto good = check_tags(after.tags); !good) return good;
  if (after.tags == (*before)->tags) return Done{};
  return impl_->save(*before, std::move(after));
}

Result<UrlConfig> Catalog::update_url(std::string_view name,
                                      const std::function<Result<UrlConfig>(UrlConfig)>& change) {
  auto before = impl_->find(name);
  if (!before) return fail(std::move(before.error()));
  auto url = change((*before)->url);
  if (!url) return url;
  Function after = **before;
  url->modified = impl_->clock.now();
  if (url->created == WallTime{}) url->created = url->modified;
  after.url = *url;
  auto saved = impl_->save(*before, std::move(after));
  if (!saved) return fail(std::move(saved.error()));
  return url;
}

Result<Done> Catalog::set_reserved_concurrency(std::string_view name, std::optional<int> limit) {
  auto before = impl_->find(name);
  if (!before) return fail(std::move(before.error()));
  if (limit) {
    ValidationErrors errors;
    errors.check_range("reservedConcurrentExecutions", *limit, 0, INT32_MAX);
    if (auto good = errors.result(); !good) return good;
    std::int64_t reserved = *limit;
    const auto now = snapshot();
    for (const auto& [other, function] : now->functions) {
      if (other != name) reserved += function->reserved_concurrency.value_or(0);
    }
    if (reserved > kAccountConcurrency - kLeastUnreserved) {
      return fail(ErrorCode::invalid,
                  "Specified ReservedConcurrentExecutions for function decreases account's "
                  "UnreservedConcurrentExecution below its minimum value of [{}].",
                  kLeastUnreserved);
    }
  }
  Function after = **before;
  after.reserved_concurrency = limit;
  return impl_->save(*before, std::move(after));
}

Result<Done> Catalog::set_log_settings(std::string_view name, const LogSettingsChange& change) {
  auto before = impl_->find(name);
  if (!before) return fail(std::move(before.error()));
  Function after = **before;
  change.apply_to(after.logs);
  if (after.logs == (*before)->logs) return Done{};
  return impl_->save(*before, std::move(after));
}

}  // namespace lambda::function
