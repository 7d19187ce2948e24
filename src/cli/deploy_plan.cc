// Steps: check what the options and lambda.toml say -> ask what the function had -> recognise the
// folder -> list what goes in -> check dependencies -> ask the server what it has against it.
#include "cli/deploy_plan.h"

#include "base/deploy_rules.h"
#include "base/encoding.h"
#include "cli/connection/json_fields.h"
#include "cli/deploy_settings.h"
#include "cli/project/dependencies.h"
#include "cli/project/recognition.h"
#include "cli/schedule_settings.h"

#include <algorithm>
#include <utility>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

// The name: a flag, lambda.toml, or the folder's own.
Result<std::string> given_name(const DeployOptions& options, const Manifest& manifest) {
  if (!options.name.empty()) return options.name;
  if (manifest.name && !manifest.name->empty()) return *manifest.name;
  if (options.image)
    return fail(ErrorCode::invalid, "a function made of an image needs a name: add --name");
  std::error_code error;
  auto name = fs::canonical(manifest.directory, error).filename().string();
  if (name.empty())
    return fail(ErrorCode::invalid, "{} gives the function no name: add --name",
                manifest.directory.string());
  return name;
}

Result<std::string> name_of(const DeployOptions& options, const Manifest& manifest) {
  auto name = given_name(options, manifest);
  if (!name) return name;
  auto fits = check_deploy_name(*name);
  if (!fits) return fail(std::move(fits.error()));
  return name;
}

Result<EventSettings> events_of(const Manifest& manifest) {
  EventSettings settings;
  settings.retries = manifest.retries;
  settings.max_age = manifest.max_age;
  settings.on_success = manifest.on_success;
  settings.on_failure = manifest.on_failure;
  if (settings.retries) {
    if (auto good = check_retries(*settings.retries); !good)
      return fail(std::move(good.error()), "lambda.toml: retries");
  }
  if (settings.max_age) {
    if (auto age = parse_age(*settings.max_age); !age)
      return fail(std::move(age.error()), "lambda.toml: max_age");
  }
  return settings;
}

Result<DeployPlan> plan(const DeployOptions& options, const Manifest& manifest) {
  DeployPlan plan;
  plan.manifest = manifest;
  if (!options.image) {
    auto there = check_folder(manifest.directory);
    if (there) there = check_includes(manifest.include);
    if (!there) return fail(std::move(there.error()));
  }
  auto name = name_of(options, manifest);
  if (!name) return fail(std::move(name.error()));
  plan.name = std::move(*name);
  auto settings = deploy_settings(options, manifest);
  if (!settings) return fail(std::move(settings.error()));
  plan.settings = std::move(*settings);
  if (options.image) {
    plan.settings["image"] = *options.image;
    plan.settings["source"] = "image";
  }
  auto events = events_of(manifest);
  if (!events) return fail(std::move(events.error()));
  plan.events = std::move(*events);
  return plan;
}

struct Former {
  bool there = false;
  std::string runtime;
  std::string handler;
};

// What the function has now: settings not named stay as they are live, or as they were changed
// since. Errors: those of the server but not_found.
Result<Former> former_settings(ServerConnection& server, const std::string& name) {
  auto live = server.json("GET", function_path(name));
  if (!live && live.error().code() == ErrorCode::not_found) return Former{};
  if (!live) return fail(std::move(live.error()));
  if (!flag_in(*live, "latestNewerThanLive"))
    return Former{true, text_in(*live, "runtime"), text_in(*live, "handler")};
  auto draft =
      server.json("GET", "/2015-03-31/functions/" + percent_encode(name) + "/configuration");
  if (!draft) return fail(std::move(draft.error()));
  return Former{true, text_in(*draft, "Runtime"), text_in(*draft, "Handler")};
}

// A runtime named by the caller. Where the server cannot be asked, or is an older one, it is left
// to the deploy itself.
Result<Done> check_runtime(ServerConnection& server, const std::string& runtime) {
  if (runtime.empty()) return Done{};
  auto status = server.json("GET", "/_lambda/status");
  if (!status) return Done{};
  std::vector<std::string> known;
  for (const char* key : {"runtimes", "missingRuntimes"}) {
    for (const auto& name : array_in(*status, key)) {
      if (name.is_string()) known.emplace_back(name.as_string());
    }
  }
  return known.empty() ? Result<Done>(Done{}) : check_runtime_name(runtime, known);
}

Result<Done> look_at_folder(const Former& former, DeployPlan& plan) {
  const auto& manifest = plan.manifest;
  auto& settings = plan.settings;
  Known known;
  known.runtime = text_in(settings, "runtime");
  known.handler = text_in(settings, "handler");
  known.kind = text_in(settings, "kind");
  known.former_runtime = former.runtime;
  known.former_handler = former.handler;
  std::error_code error;
  if (fs::is_empty(manifest.directory, error))
    return fail(ErrorCode::invalid, "the folder {} is empty: there is nothing to deploy",
                manifest.directory.string());
  auto recognised = recognise(manifest.directory, known);
  if (!recognised) return fail(std::move(recognised.error()));
  plan.format = recognised->image ? ArchiveFormat::tar : ArchiveFormat::zip;
  settings["source"] = recognised->image ? "context" : "zip";
  plan.note = recognised->note;
  auto contents = list_contents(plan);
  if (!contents) return fail(std::move(contents.error()));
  if (recognised->image) {
    // What it makes of that is the server's to say: it remembers what was named.
    if (recognised->port) settings["exposedPort"] = *recognised->port;
    return Done{};
  }
  // What it has already need not be named: the server says where it has it from.
  if (recognised->runtime != former.runtime) settings["runtime"] = recognised->runtime;
  if (!recognised->handler.empty() && recognised->handler != former.handler)
    settings["handler"] = recognised->handler;
  if (plan.builds()) return Done{};
  return check_dependencies(manifest.directory, *contents, recognised->runtime);
}

Result<Done> complete(ServerConnection& server, DeployPlan& plan) {
  auto former = former_settings(server, plan.name);
  if (!former) return fail(std::move(former.error()));
  plan.first = !former->there;
  if (plan.settings.contains("image")) return Done{};
  auto known = check_runtime(server, text_in(plan.settings, "runtime"));
  if (!known) return known;
  return look_at_folder(*former, plan);
}

// Whether `destination` is a function that these deploys make: the server does not know it yet.
// Errors: invalid, where it would not be a destination then either.
Result<bool> is_coming(const std::optional<std::string>& destination, const DeployPlan& plan,
                       const std::vector<DeployPlan>& plans) {
  const auto function = destination ? function_destination(*destination) : std::nullopt;
  if (!function) return false;
  const auto name = function->name;
  const auto coming = std::ranges::any_of(
      plans, [&name](const DeployPlan& other) { return other.first && other.name == name; });
  if (!coming) return false;
  if (name == plan.name) {
    return fail(ErrorCode::invalid,
                "on_success and on_failure of \"{}\" cannot be \"{}\" itself: its events would go "
                "in circles",
                plan.name, name);
  }
  const auto qualifier = function->qualifier;
  if (!qualifier.empty() && qualifier != "live" && qualifier != "$LATEST" && qualifier != "1") {
    return fail(ErrorCode::invalid,
                "on_success and on_failure: \"{}\" is deployed for the first time and will have no "
                "\"{}\"; name it alone, and its live version is called",
                name, qualifier);
  }
  return true;
}

Result<Done> leave_out_coming(std::optional<std::string>& destination, const DeployPlan& plan,
                              const std::vector<DeployPlan>& plans) {
  auto coming = is_coming(destination, plan, plans);
  if (!coming) return fail(std::move(coming.error()));
  if (*coming) destination.reset();
  return Done{};
}

// A server that does not know the question leaves the answer to the deploy.
Result<Done> ask(ServerConnection& server, const DeployPlan& plan, const json::object& body) {
  auto answer = server.json("POST", function_path(plan.name, "/deploy/check"), &body);
  if (answer || answer.error().code() == ErrorCode::not_found) return Done{};
  return fail(std::move(answer.error()));
}

// What follows the deploy.
Result<Done> check_what_follows(ServerConnection& server, const DeployPlan& plan,
                                const std::vector<DeployPlan>& plans) {
  json::object body;
  if (!plan.manifest.schedules.empty()) body["schedules"] = schedules_json(plan.manifest);
  auto events = plan.events;
  auto good = leave_out_coming(events.on_success, plan, plans);
  if (good) good = leave_out_coming(events.on_failure, plan, plans);
  if (!good) return good;
  if (!events.empty()) {
    auto settings = event_settings_json(server, events);
    if (!settings) return fail(std::move(settings.error()));
    body["events"] = std::move(*settings);
  }
  return body.empty() ? Result<Done>(Done{}) : ask(server, plan, body);
}

Result<Done> check_at_server(ServerConnection& server, const DeployPlan& plan,
                             const std::vector<DeployPlan>& plans) {
  auto good = ask(server, plan, json::object{{"settings", plan.settings}});
  if (!good) return good;
  good = check_what_follows(server, plan, plans);
  if (!good) return fail(std::move(good.error()), "lambda.toml");
  return Done{};
}

tl::unexpected<Error> said_of(const DeployPlan& plan, bool one_of_several, Error error) {
  if (!one_of_several) return tl::unexpected(std::move(error));
  return fail(std::move(error), "\"{}\"", plan.name);
}

}  // namespace

Result<std::vector<DeployPlan>> plan_deploys(const DeployOptions& options,
                                             const std::vector<Manifest>& manifests) {
  std::vector<DeployPlan> plans;
  for (const auto& manifest : manifests) {
    auto one = plan(options, manifest);
    if (!one && manifests.size() > 1) return fail(std::move(one.error()), "\"{}\"", *manifest.name);
    if (!one) return fail(std::move(one.error()));
    plans.push_back(std::move(*one));
  }
  return plans;
}

Result<Done> complete_plans(ServerConnection& server, std::vector<DeployPlan>& plans) {
  const bool several = plans.size() > 1;
  for (auto& plan : plans) {
    auto good = complete(server, plan);
    if (!good) return said_of(plan, several, std::move(good.error()));
  }
  for (const auto& plan : plans) {
    auto good = check_at_server(server, plan, plans);
    if (!good) return said_of(plan, several, std::move(good.error()));
  }
  return Done{};
}

Result<Contents> list_contents(const DeployPlan& plan) {
  const auto& manifest = plan.manifest;
  return plan.format == ArchiveFormat::tar
             ? context_contents(manifest.directory, manifest.include)
             : code_contents(manifest.directory, manifest.include,
                             plan.builds() ? Dependencies::installed : Dependencies::packed);
}

}  // namespace lambda::cli
