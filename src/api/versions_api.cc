#include "api/versions_api.h"

#include "api/function_json.h"
#include "api/paging.h"
#include "deploy/live_move.h"
#include "function/validation.h"

#include <spdlog/fmt/ranges.h>

namespace lambda::api {
namespace {

namespace json = boost::json;

// RoutingConfig.AdditionalVersionWeights; nothing where it was not given.
Result<std::optional<std::map<std::string, double>>> read_weights(const json::object& body) {
  using Weights = std::optional<std::map<std::string, double>>;
  auto routing = object_member(body, "RoutingConfig");
  if (!routing) return fail(std::move(routing.error()));
  if (*routing == nullptr) return Weights();
  auto weights = object_member(**routing, "AdditionalVersionWeights");
  if (!weights) return fail(std::move(weights.error()));
  std::map<std::string, double> parsed;
  if (*weights != nullptr) {
    for (const auto& [version, weight] : **weights) {
      boost::system::error_code error;
      const auto number = weight.to_number<double>(error);
      if (error) return serialization_error("AdditionalVersionWeights must hold numbers");
      parsed.emplace(version, number);
    }
  }
  return Weights(std::move(parsed));
}

// Lays the members of an alias's body over `alias`.
Result<function::Alias> apply_alias(function::Alias alias, const json::object& body) {
  auto version = text_member(body, "FunctionVersion");
  if (!version) return fail(std::move(version.error()));
  if (*version) {
    const auto number = function::parse_version(**version);
    if (!number) {
      return fail(ErrorCode::validation,
                  "1 validation error detected: Value '{}' at 'functionVersion' failed to satisfy "
                  "constraint: Member must satisfy "
                  "regular expression pattern: (\\$LATEST|[0-9]+)",
                  **version);
    }
    alias.version = *number;
  }
  auto description = text_member(body, "Description");
  if (!description) return fail(std::move(description.error()));
  if (*description) alias.description = std::move(**description);
  auto weights = read_weights(body);
  if (!weights) return fail(std::move(weights.error()));
  if (*weights) {
    auto additional = function::parse_version_weights(**weights);
    if (!additional) return fail(std::move(additional.error()));
    alias.additional = *additional;
  }
  return alias;
}

// "live: 7", "live: 7, and 8 with 10 %".
std::string alias_text(const function::Alias& alias) {
  const auto version = [](std::uint64_t number) {
    return number == 0 ? std::string("$LATEST") : std::to_string(number);
  };
  auto text = fmt::format("{}: {}", alias.name, version(alias.version));
  if (alias.additional) {
    text += fmt::format(", and {} with {} %", version(alias.additional->first),
                        alias.additional->second * 100);
  }
  return text;
}

// The function that a tag operation's ARN names; no version or alias may be in it.
Result<std::string> tagged_function(Services& services, const Exchange& exchange) {
  auto name = parse_function_name(exchange.captures.at(0), std::nullopt, services.catalog.tenant());
  if (!name) return fail(std::move(name.error()));
  if (!name->qualifier.empty()) {
    return fail(
        ErrorCode::invalid,
        "Tags on function aliases and versions are not supported. Please specify a function ARN.");
  }
  auto found = services.catalog.resolve(name->name, "");
  if (!found) return fail(std::move(found.error()));
  return name->name;
}

Task<Answer> change_tags(Services& services, std::string name,
                         std::map<std::string, std::string> added,
                         std::vector<std::string> removed) {
  auto job = [&catalog = services.catalog, name = std::move(name), added = std::move(added),
              removed = std::move(removed)] { return catalog.set_tags(name, added, removed); };
  auto done = co_await change(services, std::move(job));
  if (!done) co_return fail(std::move(done.error()));
  co_return http::Response(204);
}

}  // namespace

Task<Answer> publish_version(Services& services, Exchange& exchange) {
  auto name = exchange.unqualified_name(services);
  if (!name) co_return fail(std::move(name.error()));
  auto body = co_await read_object(services, exchange);
  if (!body) co_return fail(std::move(body.error()));
  auto sha256 = text_member(*body, "CodeSha256");
  auto description = text_member(*body, "Description");
  auto revision = text_member(*body, "RevisionId");
  for (auto* member : {&sha256, &description, &revision}) {
    if (!*member) co_return fail(std::move(member->error()));
  }
  auto job = [&catalog = services.catalog, name = name->name, sha256 = sha256->value_or(""),
              description = *description, revision = revision->value_or("")] {
    return catalog.publish_version(name, sha256, description, revision);
  };
  auto version = co_await change(services, std::move(job));
  if (!version) co_return fail(std::move(version.error()));
  exchange.note = fmt::format("version {}", (*version)->number);
  co_return json_response(201, configuration_json(services, exchange, **version, true));
}

Task<Answer> list_versions(Services& services, Exchange& exchange) {
  auto name = exchange.unqualified_name(services);
  if (!name) co_return fail(std::move(name.error()));
  auto resolved = services.catalog.resolve(name->name, "");
  if (!resolved) co_return fail(std::move(resolved.error()));
  std::vector<function::VersionPtr> all{resolved->function->latest};
  for (const auto& [number, version] : resolved->function->versions) all.push_back(version);
  std::vector<std::string> keys;
  for (const auto& version : all) keys.push_back(version_key(version->function, version->number));
  auto page = page_of(exchange.request, keys, kPageSize);
  if (!page) co_return fail(std::move(page.error()));
  json::array versions;
  for (std::size_t i = page->begin; i < page->end; ++i)
    versions.push_back(configuration_json(services, exchange, *all[i], true));
  json::object reply{{"Versions", std::move(versions)}};
  if (!page->next.empty()) reply["NextMarker"] = page->next;
  co_return json_response(200, reply);
}

Task<Answer> create_alias(Services& services, Exchange& exchange) {
  auto name = exchange.unqualified_name(services);
  if (!name) co_return fail(std::move(name.error()));
  auto body = co_await read_object(services, exchange);
  if (!body) co_return fail(std::move(body.error()));
  auto alias_name = text_member(*body, "Name");
  if (!alias_name) co_return fail(std::move(alias_name.error()));
  function::ValidationErrors missing;
  if (!*alias_name) missing.add_missing("name");
  if (!body->contains("FunctionVersion")) missing.add_missing("functionVersion");
  auto complete = missing.result();
  if (!complete) co_return fail(std::move(complete.error()));
  function::Alias fresh;
  fresh.name = **alias_name;
  auto alias = apply_alias(std::move(fresh), *body);
  if (!alias) co_return fail(std::move(alias.error()));
  auto job = [&catalog = services.catalog, name = name->name, alias = std::move(*alias)] {
    return catalog.create_alias(name, alias);
  };
  auto made = co_await change(services, std::move(job));
  if (!made) co_return fail(std::move(made.error()));
  exchange.note = alias_text(*made);
  co_return json_response(201, alias_json(services.catalog, name->name, *made));
}

Task<Answer> get_alias(Services& services, Exchange& exchange) {
  auto name = exchange.unqualified_name(services);
  if (!name) co_return fail(std::move(name.error()));
  auto resolved = services.catalog.resolve(name->name, "");
  if (!resolved) co_return fail(std::move(resolved.error()));
  const auto& aliases = resolved->function->aliases;
  const auto found = aliases.find(exchange.captures.at(1));
  if (found == aliases.end()) {
    co_return fail(ErrorCode::not_found, "Cannot find alias arn: {}",
                   services.catalog.function_arn(name->name, exchange.captures.at(1)));
  }
  co_return json_response(200, alias_json(services.catalog, name->name, found->second));
}

Task<Answer> list_aliases(Services& services, Exchange& exchange) {
  auto name = exchange.unqualified_name(services);
  if (!name) co_return fail(std::move(name.error()));
  auto resolved = services.catalog.resolve(name->name, "");
  if (!resolved) co_return fail(std::move(resolved.error()));
  const auto of_version = exchange.request.query_value("FunctionVersion");
  std::vector<std::string> keys;
  json::array all;
  for (const auto& [alias_name, alias] : resolved->function->aliases) {
    auto item = alias_json(services.catalog, name->name, alias);
    if (of_version && item["FunctionVersion"].as_string() != *of_version) continue;
    keys.push_back(alias_name);
    all.push_back(std::move(item));
  }
  auto page = page_of(exchange.request, keys, kPageSize);
  if (!page) co_return fail(std::move(page.error()));
  json::array shown;
  for (std::size_t i = page->begin; i < page->end; ++i) shown.push_back(all[i]);
  json::object reply{{"Aliases", std::move(shown)}};
  if (!page->next.empty()) reply["NextMarker"] = page->next;
  co_return json_response(200, reply);
}

Task<Answer> update_alias(Services& services, Exchange& exchange) {
  auto name = exchange.unqualified_name(services);
  if (!name) co_return fail(std::move(name.error()));
  auto body = co_await read_object(services, exchange);
  if (!body) co_return fail(std::move(body.error()));
  auto revision = text_member(*body, "RevisionId");
  if (!revision) co_return fail(std::move(revision.error()));
  auto job = [&catalog = services.catalog, name = name->name, alias = exchange.captures.at(1),
              body = std::move(*body), revision = revision->value_or("")] {
    const auto apply = [&body](function::Alias before) {
      return apply_alias(std::move(before), body);
    };
    return catalog.update_alias(name, alias, apply, revision);
  };
  auto updated = co_await change(services, std::move(job));
  if (!updated) co_return fail(std::move(updated.error()));
  exchange.note = alias_text(*updated);
  co_return json_response(200, alias_json(services.catalog, name->name, *updated));
}

Task<Answer> own_set_alias(Services& services, Exchange& exchange) {
  auto name = known_function(services, exchange);
  if (!name) co_return fail(std::move(name.error()));
  auto body = co_await read_object(services, exchange);
  if (!body) co_return fail(std::move(body.error()));
  auto revision = text_member(*body, "RevisionId");
  if (!revision) co_return fail(std::move(revision.error()));
  auto resolved = services.catalog.resolve(*name, "");
  if (!resolved) co_return fail(std::move(resolved.error()));
  const auto& aliases = resolved->function->aliases;
  const auto found = aliases.find(exchange.captures.at(1));
  function::Alias before;
  before.name = exchange.captures.at(1);
  if (found != aliases.end()) {
    before = found->second;
  } else if (!body->contains("FunctionVersion")) {
    co_return fail(ErrorCode::invalid, "there is no alias \"{}\" yet: give FunctionVersion",
                   before.name);
  }
  auto wanted = apply_alias(before, *body);
  if (!wanted) co_return fail(std::move(wanted.error()));
  // Of what was looked at: a start takes its time.
  auto job = [&catalog = services.catalog, name = *name, wanted = *wanted,
              revision = revision->value_or(before.revision_id),
              there = found != aliases.end()]() -> Result<function::Alias> {
    const auto same = [&wanted](function::Alias) -> Result<function::Alias> { return wanted; };
    return there ? catalog.update_alias(name, wanted.name, same, revision)
                 : catalog.create_alias(name, wanted);
  };
  Result<function::Alias> set = fail(ErrorCode::internal, "nothing was set");
  if (wanted->name == function::kLiveAlias) {
    deploy::LiveMoveParts parts{services.catalog, services.invoker, services.store_thread,
                                services.secrets};
    set = co_await deploy::set_live(parts, *name, *wanted, std::move(job));
  } else {
    set = co_await change(services, std::move(job));
  }
  if (!set) co_return fail(std::move(set.error()));
  exchange.note = alias_text(*set);
  co_return json_response(200, alias_json(services.catalog, *name, *set));
}

Task<Answer> delete_alias(Services& services, Exchange& exchange) {
  auto name = exchange.unqualified_name(services);
  if (!name) co_return fail(std::move(name.error()));
  auto job = [&catalog = services.catalog, name = name->name, alias = exchange.captures.at(1)] {
    return catalog.delete_alias(name, alias);
  };
  auto done = co_await change(services, std::move(job));
  if (!done) co_return fail(std::move(done.error()));
  co_return http::Response(204);
}

Task<Answer> list_tags(Services& services, Exchange& exchange) {
  auto name = tagged_function(services, exchange);
  if (!name) co_return fail(std::move(name.error()));
  auto resolved = services.catalog.resolve(*name, "");
  if (!resolved) co_return fail(std::move(resolved.error()));
  json::object tags;
  for (const auto& [key, value] : resolved->function->tags) tags[key] = value;
  co_return json_response(200, json::object{{"Tags", std::move(tags)}});
}

Task<Answer> tag_resource(Services& services, Exchange& exchange) {
  auto name = tagged_function(services, exchange);
  if (!name) co_return fail(std::move(name.error()));
  auto body = co_await read_object(services, exchange);
  if (!body) co_return fail(std::move(body.error()));
  auto tags = texts_member(*body, "Tags");
  if (!tags) co_return fail(std::move(tags.error()));
  if (!*tags || (*tags)->empty()) co_return fail(ErrorCode::invalid, "Tags must not be empty.");
  exchange.note = member_names(body->at("Tags").as_object());
  co_return co_await change_tags(services, std::move(*name), std::move(**tags), {});
}

Task<Answer> untag_resource(Services& services, Exchange& exchange) {
  auto name = tagged_function(services, exchange);
  if (!name) co_return fail(std::move(name.error()));
  auto keys = exchange.request.query_values("tagKeys");
  if (keys.empty()) co_return fail(ErrorCode::invalid, "tagKeys must not be empty.");
  exchange.note = fmt::format("{}", fmt::join(keys, ", "));
  co_return co_await change_tags(services, std::move(*name), {}, std::move(keys));
}

}  // namespace lambda::api
