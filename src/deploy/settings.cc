#include "deploy/settings.h"

#include "base/deploy_rules.h"
#include "function/validation.h"

#include <algorithm>
#include <utility>

namespace lambda::deploy {
namespace {

// Deployed without AWS's tools, a function has no role; AWS's clients expect the field to look like
// one.
constexpr std::string_view kNoRole = "arn:aws:iam::000000000000:role/lambda";

function::Configuration starting_point(const function::Configuration* before) {
  if (before != nullptr) return *before;
  function::Configuration fresh;
  fresh.timeout_seconds = kDefaultTimeoutSeconds;
  fresh.role = kNoRole;
  return fresh;
}

void merge_environment(const DeployRequest& request, function::Configuration& merged) {
  if (request.environment_clear) merged.environment.reset();
  if (request.environment.empty()) return;
  if (!merged.environment) merged.environment.emplace();
  for (const auto& [name, value] : request.environment) (*merged.environment)[name] = value;
}

void merge_secrets(const DeployRequest& request, function::Configuration& merged) {
  if (request.secrets_clear) merged.secrets.clear();
  for (const auto& [name, form] : request.secrets) merged.secrets[name] = form;
}

// A port makes an HTTP function unless somebody said otherwise, now or at an earlier deploy. What
// nobody named is what this code says: a folder that exposes no port any more has none.
void merge_kind(const DeployRequest& request, function::Configuration& merged) {
  if (request.port) merged.port = request.port;
  merged.port_named = merged.port_named || request.port;
  if (!merged.port_named) merged.port = request.exposed_port;
  if (request.kind) merged.kind = *request.kind;
  merged.kind_named = merged.kind_named || request.kind;
  if (!merged.kind_named)
    merged.kind = merged.port ? function::Kind::http : function::Kind::handler;
}

// As AWS's CreateFunction has it.
Result<Done> check_image_takes(const DeployRequest& request) {
  if (request.source == Source::zip || (!request.runtime && !request.handler)) return Done{};
  const auto* named = request.handler ? "handler" : "runtime";
  return fail(ErrorCode::invalid,
              "function {} is made of an image, which has no {}: what runs is what its ENTRYPOINT "
              "and CMD say. Leave out --{} ({} in lambda.toml){}",
              request.name, named, named, named,
              request.source == Source::context
                  ? ", or name --runtime, too, to deploy the folder's files without its Dockerfile"
                  : "");
}

}  // namespace

Result<function::Configuration> merge_settings(const DeployRequest& request,
                                               const function::Configuration* before,
                                               function::DriverName standard_driver) {
  if (auto takes = check_image_takes(request); !takes) return fail(std::move(takes.error()));
  auto merged = starting_point(before);
  const bool zip = request.source == Source::zip;
  merged.package_type = zip ? function::PackageType::zip : function::PackageType::image;
  if (request.runtime) merged.runtime = *request.runtime;
  if (request.handler) merged.handler = *request.handler;
  if (request.timeout_seconds) merged.timeout_seconds = *request.timeout_seconds;
  if (request.memory_mb) merged.memory_mb = *request.memory_mb;
  if (request.ephemeral_storage_mb) merged.ephemeral_storage_mb = *request.ephemeral_storage_mb;
  if (request.description) merged.description = *request.description;
  merge_kind(request, merged);
  if (request.concurrency) {
    merged.concurrency = request.concurrency;
  } else if (merged.kind == function::Kind::handler) {
    merged.concurrency.reset();  // it was an HTTP function's
  }
  if (request.idle_seconds) {
    merged.idle_seconds = request.idle_seconds;
    if (*request.idle_seconds == 0) merged.idle_seconds.reset();
  }
  merged.isolation = request.isolation.value_or(merged.isolation);
  if (request.egress) {
    merged.egress = request.egress;
    if (request.egress->empty()) merged.egress.reset();
  }
  merged.min_instances = request.min_instances.value_or(merged.min_instances);
  merged.cpu_thousandths = request.cpu_thousandths.value_or(merged.cpu_thousandths);
  if (!zip) {
    merged.runtime.clear();
    merged.handler.clear();
  } else {
    merged.image_config.reset();
  }
  // A version remembers its driver: a later change of the server's default does not move it.
  merged.driver = request.driver.value_or(merged.driver.value_or(standard_driver));
  if (*merged.driver == function::DriverName::docker && merged.egress && *merged.egress != "none") {
    return fail(ErrorCode::invalid,
                "function {} runs in a Docker container, which has no way out: egress {} needs "
                "--driver native; without one it is --egress none, or --egress default",
                request.name, *merged.egress);
  }
  merge_environment(request, merged);
  merge_secrets(request, merged);
  if (zip && merged.runtime.empty()) {
    return fail(ErrorCode::invalid,
                "function {} has no runtime: name one with --runtime, such as python3.11",
                request.name);
  }
  if (zip && merged.handler.empty() && !merged.runtime.starts_with("provided")) {
    return fail(ErrorCode::invalid,
                "function {} has no handler: name one with --handler, such as app.handler",
                request.name);
  }
  if (zip) {
    const auto& known = function::known_runtimes();
    auto runtime = check_runtime_name(merged.runtime, {known.begin(), known.end()});
    if (!runtime) return fail(std::move(runtime.error()));
  }
  auto fits = function::check_configuration(merged);
  if (!fits) return fail(std::move(fits.error()));
  return merged;
}

Result<Done> check_new_secrets(std::string_view function, const function::Configuration& merged,
                               const function::Function* before) {
  const auto had = [before](const std::string& name) {
    if (before == nullptr) return false;
    if (before->latest->configuration.secrets.contains(name)) return true;
    return std::ranges::any_of(before->versions, [&name](const auto& version) {
      return version.second->configuration.secrets.contains(name);
    });
  };
  for (const auto& [name, form] : merged.secrets) {
    if (had(name)) continue;
    return fail(ErrorCode::denied,
                "no version of {1} has asked for the secret {0} yet, and a key that is for some "
                "functions only gives it no secret that is shared: have it deployed once with a "
                "key for all functions, or leave {0} out and give {1} a secret of its own, which "
                "it gets without asking (`lambda secret put {0} --function {1}`)",
                name, function);
  }
  return Done{};
}

std::vector<std::string> differing_settings(const function::Configuration& one,
                                            const function::Configuration& other) {
  const std::pair<std::string_view, bool> all[] = {
      {"runtime", one.runtime != other.runtime},
      {"handler", one.handler != other.handler},
      {"description", one.description != other.description},
      {"timeout", one.timeout_seconds != other.timeout_seconds},
      {"memory", one.memory_mb != other.memory_mb},
      {"ephemeral_storage", one.ephemeral_storage_mb != other.ephemeral_storage_mb},
      {"environment", one.environment != other.environment},
      {"secrets", one.secrets != other.secrets},
      {"kind", one.kind != other.kind},
      {"port", one.port != other.port},
      {"concurrency", one.concurrency != other.concurrency},
      {"idle_time", one.idle_seconds != other.idle_seconds},
      {"isolation", one.isolation != other.isolation},
      {"egress", one.egress != other.egress},
      {"min_instances", one.min_instances != other.min_instances},
      {"cpus", one.cpu_thousandths != other.cpu_thousandths},
      {"driver", one.driver != other.driver},
      {"Role", one.role != other.role},
      {"ImageConfig", one.image_config != other.image_config},
      {"DeadLetterConfig", one.dead_letter_target != other.dead_letter_target},
  };
  std::vector<std::string> names;
  for (const auto& [name, differs] : all) {
    if (differs) names.emplace_back(name);
  }
  auto echoed = one.echoed;
  echoed.insert(other.echoed.begin(), other.echoed.end());
  for (const auto& [name, value] : echoed) {
    const auto first = one.echoed.find(name);
    const auto second = other.echoed.find(name);
    if (first == one.echoed.end() || second == other.echoed.end() || *first != *second)
      names.push_back(name);
  }
  return names;
}

}  // namespace lambda::deploy
