#include "api/functions_api.h"

#include "api/code_link.h"
#include "api/code_request.h"
#include "api/configuration_request.h"
#include "api/function_json.h"
#include "api/paging.h"
#include "function/validation.h"
#include "function/variable_change.h"

namespace lambda::api {
namespace {

namespace json = boost::json;

json::object code_json(const Services& services, const http::Request& request,
                       const function::Version& version) {
  json::object code;
  if (version.configuration.package_type == function::PackageType::image) {
    code["RepositoryType"] = "ECR";
    code["ImageUri"] = version.code.image_uri;
    code["ResolvedImageUri"] = version.code.image_id;
    return code;
  }
  code["RepositoryType"] = "S3";
  code["Location"] = code_link(services, request, version.code.package_digest);
  return code;
}

// The version whose settings are shown: of a weighted alias always the one it points to.
Result<function::Resolved> resolve_to_show(const Services& services, const FunctionName& name) {
  auto resolved = services.catalog.resolve(name.name, name.qualifier);
  if (!resolved) return resolved;
  const auto& aliases = resolved->function->aliases;
  if (const auto alias = aliases.find(name.qualifier); alias != aliases.end())
    resolved->version = resolved->function->version(alias->second.version);
  return resolved;
}

// Where dead letters go, where `body` says so: to one of the caller's, for it is called with them.
Result<Done> check_dead_letters(const Services& services, const Exchange& exchange,
                                const json::object& body,
                                const function::Configuration& configuration,
                                std::string_view name) {
  const auto& target = configuration.dead_letter_target;
  if (target.empty() || !body.contains("DeadLetterConfig")) return Done{};
  auto destination = services.events.destination(target);
  if (!destination) return fail(std::move(destination.error()), "DeadLetterConfig");
  if (destination->url.empty() && destination->function == name) {
    return fail(ErrorCode::invalid,
                "DeadLetterConfig: the function cannot take its own dead letters");
  }
  if (destination->url.empty()) return exchange.authorize(services, destination->function);
  return Done{};
}

// What CreateFunction wants of a body before it looks at the code.
Result<function::Configuration> read_new_configuration(Services& services, Exchange& exchange,
                                                       const json::object& body,
                                                       std::string& name) {
  auto given = text_member(body, "FunctionName");
  if (!given) return fail(std::move(given.error()));
  function::ValidationErrors missing;
  if (!*given) missing.add_missing("functionName");
  if (!body.contains("Role")) missing.add_missing("role");
  if (!body.contains("Code")) missing.add_missing("code");
  auto complete = missing.result();
  if (!complete) return fail(std::move(complete.error()));
  auto parsed = parse_function_name(**given, std::nullopt, services.catalog.tenant());
  if (!parsed) return fail(std::move(parsed.error()));
  if (!parsed->qualifier.empty()) return not_a_function_name(**given);
  name = parsed->name;
  if (auto may = exchange.authorize(services, name); !may) return fail(std::move(may.error()));
  exchange.function = name;
  function::Configuration fresh;
  // A version remembers its driver: a later change of the server's default does not move it.
  fresh.driver = services.standard_driver;
  auto type = text_member(body, "PackageType");
  if (!type) return fail(std::move(type.error()));
  if (*type == "Image") {
    fresh.package_type = function::PackageType::image;
  } else if (*type && *type != "Zip") {
    return fail(ErrorCode::validation,
                "1 validation error detected: Value '{}' at 'packageType' failed to satisfy "
                "constraint: Member must satisfy enum "
                "value set: [Zip, Image]",
                **type);
  }
  auto configuration = apply_configuration(std::move(fresh), body, name);
  if (!configuration) return fail(std::move(configuration.error()));
  auto letters = check_dead_letters(services, exchange, body, *configuration, name);
  if (!letters) return fail(std::move(letters.error()));
  const bool zip = configuration->package_type == function::PackageType::zip;
  auto fits = function::check_configuration(*configuration);
  if (!fits) return fail(std::move(fits.error()));
  if (zip) {
    auto runs = services.check_runtime(configuration->runtime);
    if (!runs) return fail(std::move(runs.error()));
  }
  return configuration;
}

Result<std::optional<std::string>> revision_of(const json::object& body) {
  return text_member(body, "RevisionId");
}

}  // namespace

Task<Answer> create_function(Services& services, Exchange& exchange) {
  auto body = co_await read_object(services, exchange, kMaxRequestBytes);
  if (!body) co_return fail(std::move(body.error()));
  std::string name;
  auto configuration = read_new_configuration(services, exchange, *body, name);
  if (!configuration) co_return fail(std::move(configuration.error()));
  auto tags = texts_member(*body, "Tags");
  if (!tags) co_return fail(std::move(tags.error()));
  auto publish = flag_member(*body, "Publish");
  if (!publish) co_return fail(std::move(publish.error()));
  const auto& code_value = body->at("Code");
  if (!code_value.is_object())
    co_return fail(Error(ErrorCode::invalid, "Code must be an object")
                       .with_aws_type("SerializationException"));
  if (services.catalog.snapshot()->functions.contains(name))
    co_return fail(ErrorCode::conflict, "Function already exist: {}", name);
  auto taken = co_await take_code(services, exchange, code_value.as_object(), *configuration);
  if (!taken) co_return fail(std::move(taken.error()));
  // An image with an EXPOSEd port is still a handler function here, as on AWS; `lambda deploy`
  // makes HTTP functions.
  auto fits = function::check_package_type(*configuration, taken->code);
  if (!fits) co_return fail(std::move(fits.error()));
  exchange.note = "sha256 " + taken->code.sha256;
  const auto variables = function::variable_change(std::nullopt, configuration->environment);
  if (!variables.set.empty()) exchange.note += ": " + variables.text();
  auto job = [&catalog = services.catalog, name, configuration = std::move(*configuration),
              code = std::move(taken->code),
              tags = tags->value_or(std::map<std::string, std::string>()),
              publish = publish->value_or(false)]() mutable {
    return catalog.create_function(name, std::move(configuration), std::move(code), std::move(tags),
                                   publish);
  };
  auto version = co_await change(services, std::move(job));
  if (!version) co_return fail(std::move(version.error()));
  co_return json_response(201, configuration_json(services, exchange, **version, false));
}

Task<Answer> get_function(Services& services, Exchange& exchange) {
  auto name = exchange.function_name(services);
  if (!name) co_return fail(std::move(name.error()));
  auto resolved = resolve_to_show(services, *name);
  if (!resolved) co_return fail(std::move(resolved.error()));
  json::object reply;
  reply["Configuration"] =
      configuration_json(services, exchange, *resolved->version, !name->qualifier.empty());
  reply["Code"] = code_json(services, exchange.request, *resolved->version);
  if (!resolved->function->tags.empty()) {
    json::object tags;
    for (const auto& [key, value] : resolved->function->tags) tags[key] = value;
    reply["Tags"] = std::move(tags);
  }
  if (resolved->function->reserved_concurrency) {
    reply["Concurrency"] = {
        {"ReservedConcurrentExecutions", *resolved->function->reserved_concurrency}};
  }
  co_return json_response(200, reply);
}

Task<Answer> get_function_configuration(Services& services, Exchange& exchange) {
  auto name = exchange.function_name(services);
  if (!name) co_return fail(std::move(name.error()));
  auto resolved = resolve_to_show(services, *name);
  if (!resolved) co_return fail(std::move(resolved.error()));
  co_return json_response(
      200, configuration_json(services, exchange, *resolved->version, !name->qualifier.empty()));
}

Task<Answer> list_functions(Services& services, Exchange& exchange) {
  const auto snapshot = services.catalog.snapshot();
  const auto which = exchange.request.query_value("FunctionVersion");
  if (which && *which != "ALL") {
    function::ValidationErrors errors;
    errors.check_enum("functionVersion", *which, {"ALL"});
    co_return fail(std::move(errors.result().error()));
  }
  const bool all = which.has_value();
  std::vector<function::VersionPtr> versions;
  for (const auto& [name, function] : snapshot->functions) {
    if (!exchange.may_see(name)) continue;
    versions.push_back(function->latest);
    if (!all) continue;
    for (const auto& [number, version] : function->versions) versions.push_back(version);
  }
  std::vector<std::string> keys;
  for (const auto& version : versions)
    keys.push_back(version_key(version->function, version->number));
  const auto page = page_of(exchange.request, keys, kPageSize);
  if (!page) co_return fail(Error(page.error()));
  json::array functions;
  for (std::size_t i = page->begin; i < page->end; ++i)
    functions.push_back(configuration_json(services, exchange, *versions[i], all));
  json::object reply{{"Functions", std::move(functions)}};
  if (!page->next.empty()) reply["NextMarker"] = page->next;
  co_return json_response(200, reply);
}

Task<Answer> update_function_code(Services& services, Exchange& exchange) {
  auto name = exchange.unqualified_name(services);
  if (!name) co_return fail(std::move(name.error()));
  auto resolved = services.catalog.resolve(name->name, "");
  if (!resolved) co_return fail(std::move(resolved.error()));
  auto body = co_await read_object(services, exchange, kMaxRequestBytes);
  if (!body) co_return fail(std::move(body.error()));
  auto publish = flag_member(*body, "Publish");
  if (!publish) co_return fail(std::move(publish.error()));
  auto dry_run = flag_member(*body, "DryRun");
  if (!dry_run) co_return fail(std::move(dry_run.error()));
  auto revision = revision_of(*body);
  if (!revision) co_return fail(std::move(revision.error()));
  auto changed = apply_configuration(resolved->version->configuration, *body, name->name);
  if (!changed) co_return fail(std::move(changed.error()));
  auto taken = co_await take_code(services, exchange, *body, resolved->version->configuration);
  if (!taken) co_return fail(std::move(taken.error()));
  auto fits = function::check_package_type(resolved->version->configuration, taken->code);
  if (!fits) co_return fail(std::move(fits.error()));
  exchange.note = dry_run->value_or(false) ? "a dry run" : "sha256 " + taken->code.sha256;
  if (dry_run->value_or(false)) {
    auto current = function::check_revision(revision->value_or(""), resolved->version->revision_id);
    if (!current) co_return fail(std::move(current.error()));
    auto runs = function::check_configuration(*changed);
    if (!runs) co_return fail(std::move(runs.error()));
    function::Version would(*resolved->version);
    would.code = std::move(taken->code);
    co_return json_response(200, configuration_json(services, exchange, would, false));
  }
  auto job = [&catalog = services.catalog, name = name->name, code = std::move(taken->code),
              architecture = changed->architecture, revision = revision->value_or(""),
              publish = publish->value_or(false)]() mutable {
    return catalog.update_code(name, std::move(code), architecture, revision, publish);
  };
  auto version = co_await change(services, std::move(job));
  if (!version) co_return fail(std::move(version.error()));
  co_return json_response(200, configuration_json(services, exchange, **version, false));
}

Task<Answer> update_function_configuration(Services& services, Exchange& exchange) {
  auto name = exchange.unqualified_name(services);
  if (!name) co_return fail(std::move(name.error()));
  auto body = co_await read_object(services, exchange);
  if (!body) co_return fail(std::move(body.error()));
  auto revision = revision_of(*body);
  if (!revision) co_return fail(std::move(revision.error()));
  exchange.note = member_names(*body);
  function::VariableChange variables;
  auto runtime = text_member(*body, "Runtime");
  if (!runtime) co_return fail(std::move(runtime.error()));
  if (*runtime) {
    auto runs = services.check_runtime(**runtime);
    if (!runs) co_return fail(std::move(runs.error()));
  }
  auto job = [&services, &exchange, &variables, name = name->name, body = std::move(*body),
              revision = revision->value_or("")] {
    const auto apply = [&services, &exchange, &variables, &body,
                        &name](function::Configuration before) {
      const auto had = before.environment;
      auto after = apply_configuration(std::move(before), body, name);
      if (!after) return after;
      auto letters = check_dead_letters(services, exchange, body, *after, name);
      if (!letters) after = fail(std::move(letters.error()));
      if (after) variables = function::variable_change(had, after->environment);
      return after;
    };
    return services.catalog.update_configuration(name, apply, revision);
  };
  auto version = co_await change(services, std::move(job));
  if (const auto names = variables.text(); !names.empty()) exchange.note += ": " + names;
  if (!version) co_return fail(std::move(version.error()));
  co_return json_response(200, configuration_json(services, exchange, **version, false));
}

Task<Result<Done>> delete_whole_function(Services& services, std::string name) {
  if (services.catalog.snapshot()->functions.contains(name)) {
    auto cleared = co_await services.events.clear(name);
    if (!cleared) co_return cleared;
  }
  auto job = [&catalog = services.catalog, name] { return catalog.delete_function(name); };
  co_return co_await change(services, std::move(job));
}

Task<Answer> delete_function(Services& services, Exchange& exchange) {
  auto name = exchange.function_name(services);
  if (!name) co_return fail(std::move(name.error()));
  if (name->qualifier.empty()) {
    auto done = co_await delete_whole_function(services, name->name);
    if (!done) co_return fail(std::move(done.error()));
    co_return http::Response(204);
  }
  auto job = [&catalog = services.catalog, name = *name]() -> Result<Done> {
    const auto number = function::parse_version(name.qualifier);
    if (!number)
      return fail(ErrorCode::invalid,
                  "Deletion of aliases is not currently supported: use DeleteAlias for {}",
                  name.qualifier);
    return catalog.delete_version(name.name, *number);
  };
  auto done = co_await change(services, std::move(job));
  if (!done) co_return fail(std::move(done.error()));
  co_return http::Response(204);
}

}  // namespace lambda::api
