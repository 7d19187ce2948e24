// Steps: receive the upload (before the turn: several may upload at once) -> wait for this
// function's turn -> check the settings -> install its dependencies, where asked for -> build or
// prepare -> start and initialise the new code -> commit in one transaction.
#include "deploy/staged_deployer.h"

#include "base/crypto.h"
#include "base/deploy_rules.h"
#include "deploy/bytecode.h"
#include "deploy/deploy_draft.h"
#include "deploy/image_code.h"
#include "deploy/receive.h"
#include "deploy/settings.h"
#include "function/secret_users.h"
#include "function/validation.h"

#include <spdlog/fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <functional>
#include <utility>

namespace lambda::deploy {
namespace {

std::string milliseconds_text(std::chrono::microseconds time) {
  return fmt::format("{} ms", (time.count() + 500) / 1000);
}

// Of a handler's image that did not start: it may be a server.
std::string hint_of_port(std::uint16_t port) {
  return fmt::format(
      ". The image exposes port {0}: if it serves HTTP there and speaks no Runtime API, deploy it "
      "with --kind http --port {0}",
      port);
}

void set_package(function::Version& version, const function::Package& package) {
  version.code.sha256 = package.sha256_base64;
  version.code.size = package.size;
  version.code.package_digest = package.digest;
}

Result<Done> check_request(const DeployRequest& request) {
  if (request.build && request.source != Source::zip) {
    return fail(ErrorCode::invalid,
                "--build installs the dependencies of a folder without a Dockerfile: one with a "
                "Dockerfile installs them itself (RUN pip install, RUN npm ci)");
  }
  auto fits = check_deploy_name(request.name);
  return fits ? check_deploy_message(request.message) : fits;
}

Result<Done> still_admitted(const DeployRequest& request) {
  return request.admitted ? request.admitted() : Done{};
}

}  // namespace

Task<Result<DeployReport>> StagedDeployer::deploy(DeployRequest request, http::BodyReader& body,
                                                  Progress& progress, DeployFailure& failure) {
  auto fits = check_request(request);
  if (!fits) co_return fail(std::move(fits.error()));
  Draft draft;
  spdlog::info("deploy {}: receive", request.name);
  auto received = co_await receive(request, body, draft);
  if (!received) co_return fail(std::move(received.error()));
  const auto turn = co_await queue_.wait_turn(request.name);
  auto planned = plan(request, draft);
  if (!planned) co_return fail(std::move(planned.error()));
  KeptOutput output(progress);
  auto report = co_await make_version(request, draft, output, failure);
  if (report) {
    spdlog::info("deploy {}: done, version {}", request.name, report->version->number);
  } else {
    FailedDeploy failed;
    failed.function = request.name;
    failed.version = draft.version->number;
    failed.output = output.take();
    failed.message = report.error().message();
    parts_.on_failed(failed);
    co_await discard_image(draft);
  }
  co_return report;
}

// With all of the calls.
bool StagedDeployer::is_live_already(const Draft& draft) {
  const auto* live = draft.before == nullptr ? nullptr : draft.before->live();
  if (live == nullptr || live->additional) return false;
  const auto version = draft.before->version(live->version);
  return version && version->configuration == draft.version->configuration &&
         version->code.sha256 == draft.version->code.sha256;
}

Task<Result<DeployReport>> StagedDeployer::make_version(const DeployRequest& request, Draft& draft,
                                                        Progress& progress,
                                                        DeployFailure& failure) {
  if (auto may = still_admitted(request); !may) co_return fail(std::move(may.error()));
  if (request.build) {
    spdlog::info("deploy {}: install dependencies", request.name);
    auto installed = co_await install(request, draft, progress);
    if (!installed) co_return fail(std::move(installed.error()));
  }
  spdlog::info("deploy {}: build", request.name);
  auto built = co_await build(request, draft, progress);
  if (!built) co_return fail(std::move(built.error()));
  if (auto may = still_admitted(request); !may) co_return fail(std::move(may.error()));
  if (!draft.unchanged) {
    spdlog::info("deploy {}: initialise", request.name);
    auto initialised = co_await initialise(draft, progress, failure);
    if (!initialised) co_return fail(std::move(initialised.error()));
  }
  if (auto may = still_admitted(request); !may) {
    if (draft.prepared) parts_.invoker.abandon_prepared(draft.version);
    co_return fail(std::move(may.error()));
  }
  spdlog::info("deploy {}: commit", request.name);
  co_return co_await commit(request, draft);
}

// What a failed deploy built, unless a version has the same image. An image that was there before
// may just be deployed by somebody else too: that one is left to the next start.
Task<void> StagedDeployer::discard_image(Draft& draft) {
  const auto& image = draft.version->code.image_id;
  if (image.empty() || !draft.context) co_return;
  draft.image_pin.reset();
  std::function<bool()> in_use = [&uses = parts_.uses_image, image] { return uses(image); };
  auto forgotten = co_await parts_.images->forget(image, std::move(in_use));
  // A conflict: another deploy has it or may come to it. What then is nobody's goes at the next
  // start.
  if (!forgotten && forgotten.error().code() != ErrorCode::conflict)
    spdlog::warn("{}", forgotten.error().message());
}

Task<Result<Done>> StagedDeployer::receive(const DeployRequest& request, http::BodyReader& body,
                                           Draft& draft) {
  if (request.source == Source::zip) {
    auto package = co_await receive_package(parts_.packages, parts_.disk, body);
    if (!package) co_return fail(std::move(package.error()));
    draft.package = std::move(*package);
  } else if (parts_.images == nullptr) {
    co_return no_images();
  } else if (request.source == Source::context) {
    auto file = co_await receive_file(parts_.temporary, parts_.disk, body, kMaxContextBytes);
    if (!file) co_return fail(std::move(file.error()));
    draft.context = std::move(*file);
  }
  co_return Done{};
}

Result<Done> StagedDeployer::plan(const DeployRequest& request, Draft& draft) const {
  const auto snapshot = parts_.catalog.snapshot();
  if (const auto found = snapshot->functions.find(request.name);
      found != snapshot->functions.end()) {
    draft.before = found->second;
  }
  auto merged = configuration_of(request, draft.before);
  if (!merged) return fail(std::move(merged.error()));
  if (request.limited) {
    auto may = check_new_secrets(request.name, *merged, draft.before.get());
    if (!may) return fail(std::move(may.error()));
  }
  auto note = check_secrets(request.name, *merged);
  if (!note) return fail(std::move(note.error()));
  draft.note = note_of_draft(request, draft.before, *merged) + *note;
  auto version = std::make_shared<function::Version>();
  version->function = request.name;
  version->number = draft.before ? draft.before->next_version : 1;
  version->configuration = std::move(*merged);
  version->revision_id = random_uuid();
  version->last_modified = parts_.clock.now();
  if (request.source == Source::zip) set_package(*version, draft.package);
  draft.version = std::move(version);
  return Done{};
}

Task<Result<Done>> StagedDeployer::install(const DeployRequest& request, Draft& draft,
                                           Progress& progress) {
  auto package = co_await parts_.dependencies.add_to(*draft.version, *request.build, progress);
  if (!package) co_return fail(std::move(package.error()));
  draft.package = std::move(*package);
  set_package(*draft.version, draft.package);
  ++draft.step;
  co_return Done{};
}

// Settings that are not named stay as they were: as the draft has them where it was changed since
// the last deploy, and otherwise, after a rollback, too, as they are live.
Result<function::Configuration> StagedDeployer::configuration_of(
    const DeployRequest& request, const function::FunctionPtr& before) const {
  function::VersionPtr former;
  if (before) former = before->draft_is_news() ? before->latest : before->answering();
  return merge_settings(request, former ? &former->configuration : nullptr, parts_.standard_driver);
}

std::string StagedDeployer::note_of_draft(const DeployRequest& request,
                                          const function::FunctionPtr& before,
                                          const function::Configuration& merged) const {
  if (!before || !before->draft_is_news()) return {};
  const auto live = before->answering();
  const auto as_live = merge_settings(request, &live->configuration, parts_.standard_driver);
  if (!as_live) return {};
  const auto names = differing_settings(merged, *as_live);
  if (names.empty()) return {};
  return fmt::format(
      "Note: not as live in version {}, but as in $LATEST, which was changed since: {}\n",
      live->label(), fmt::join(names, ", "));
}

Result<std::string> StagedDeployer::check_secrets(const std::string& function,
                                                  const function::Configuration& merged) const {
  auto secrets = parts_.secrets.secrets_for(function, merged.secrets);
  if (!secrets) return fail(std::move(secrets.error()));
  const auto hidden = function::hidden_variables(merged, *secrets);
  if (hidden.empty()) return std::string();
  return fmt::format(
      "Note: both an environment variable and a secret, of which the function gets the secret: "
      "{}\n",
      fmt::join(hidden, ", "));
}

tl::unexpected<Error> StagedDeployer::no_images() const {
  return fail(ErrorCode::unavailable,
              "functions with a Dockerfile or an image need Docker Engine: {}",
              parts_.images_missing);
}

Result<Done> StagedDeployer::check(const DeployRequest& request) const {
  auto fits = check_request(request);
  if (!fits) return fits;
  const auto snapshot = parts_.catalog.snapshot();
  const auto found = snapshot->functions.find(request.name);
  const auto before = found == snapshot->functions.end() ? nullptr : found->second;
  auto tags = before ? before->tags : std::map<std::string, std::string>();
  for (const auto& [key, value] : request.tags) tags[key] = value;
  if (fits = function::check_tags(tags); !fits) return fits;
  auto merged = configuration_of(request, before);
  if (!merged) return fail(std::move(merged.error()));
  if (request.limited) {
    if (auto may = check_new_secrets(request.name, *merged, before.get()); !may) return may;
  }
  if (auto secrets = check_secrets(request.name, *merged); !secrets)
    return fail(std::move(secrets.error()));
  if (request.build) return parts_.dependencies.check(merged->runtime);
  if (request.source == Source::zip) return parts_.check_runtime(merged->runtime);
  if (parts_.images == nullptr) return no_images();
  return Done{};
}

Task<Result<Done>> StagedDeployer::build(const DeployRequest& request, Draft& draft,
                                         Progress& progress) {
  if (request.source != Source::zip) {
    auto built = co_await build_image(request, draft, progress);
    if (!built) co_return fail(std::move(built.error()));
  } else {
    progress.begin_step(draft.step,
                        fmt::format("Preparing runtime {}", draft.version->configuration.runtime));
    auto there = parts_.check_runtime(draft.version->configuration.runtime);
    if (!there) co_return fail(std::move(there.error()));
  }
  draft.unchanged = is_live_already(draft);
  if (request.source == Source::zip && !draft.unchanged &&
      wants_bytecode(draft.version->configuration)) {
    // Without bytecode a function works, slower; what really stops it will stop its initialisation
    // too, and say why.
    const auto missing =
        co_await compile_bytecode(parts_.invoker, parts_.packages, parts_.disk, draft.version);
    if (missing) {
      // Why may be in the words of the code itself: those are for who deploys it.
      spdlog::warn("deploy {}: it has no bytecode, or not all of it; who deployed it was told why",
                   request.name);
      progress.output(fmt::format("Warning: {}\n", *missing));
    }
  }
  if (!draft.note.empty()) progress.output(draft.note);
  progress.end_step(draft.step, "Done.");
  co_return Done{};
}

Task<Result<Done>> StagedDeployer::build_image(const DeployRequest& request, Draft& draft,
                                               Progress& progress) {
  auto& images = *parts_.images;
  auto& version = *draft.version;
  const auto tag = images.tag_for(request.name, version.number);
  Result<sandbox::ImageInfo> image = fail(ErrorCode::internal, "no image");
  if (request.source == Source::context) {
    const std::string repository = "func-" + request.name;
    progress.begin_step(draft.step, fmt::format("Building image \"{}\"", repository));
    std::map<std::string, std::string> labels{{"lambda.function", request.name}};
    auto on_output = [&progress](std::string_view text) { progress.output(text); };
    std::function<void(std::string_view)> output = on_output;
    image = co_await images.build(draft.context->path(), tag, std::move(labels), std::move(output));
  } else {
    progress.begin_step(draft.step, fmt::format("Preparing image \"{}\"", request.image));
    image = co_await images.inspect(request.image);
  }
  if (!image) co_return fail(std::move(image.error()));
  draft.image_pin = image->pin;
  if (!image->exposed_ports.empty()) draft.exposed_port = image->exposed_ports.front();
  version.code = code_of_image(request.source == Source::context ? tag : request.image, *image);
  if (request.source == Source::image) {
    // The version keeps its image when the name that it was deployed by moves on to another.
    auto tagged = co_await images.tag(image->id, tag);
    if (!tagged) co_return fail(std::move(tagged.error()));
  }
  if (version.configuration.driver == function::DriverName::native) {
    auto root = co_await images.export_root(image->id);
    if (!root) co_return fail(std::move(root.error()), "export image {}", version.code.image_uri);
  }
  co_return Done{};
}

Task<Result<Done>> StagedDeployer::initialise(Draft& draft, Progress& progress,
                                              DeployFailure& failure) {
  const bool native = draft.version->configuration.driver == function::DriverName::native;
  ++draft.step;
  progress.begin_step(draft.step, native ? "Starting sandbox" : "Starting container");
  invoke::Invoker::InitFailure init_failure;
  draft.secrets = parts_.secrets.revision();
  const auto& egress = draft.version->configuration.egress;
  if (egress && *egress != "none" && !parts_.egress_missing.empty()) {
    progress.output(fmt::format("Warning: the function reaches nothing outside its sandbox: {}\n",
                                parts_.egress_missing));
  }
  auto prepared = co_await parts_.invoker.prepare(draft.version, init_failure);
  if (!prepared) {
    failure.function_payload = std::move(init_failure.payload);
    failure.log = std::move(init_failure.log);
    const auto& error = prepared.error();
    const bool handler = draft.version->configuration.kind == function::Kind::handler;
    if (handler && draft.exposed_port && error.code() == ErrorCode::function_failed)
      co_return fail(Error(error.code(), error.message() + hint_of_port(*draft.exposed_port)));
    co_return fail(std::move(prepared.error()));
  }
  draft.prepared = true;
  draft.init = prepared->init;
  progress.end_step(draft.step, fmt::format("Done. (init {})", milliseconds_text(prepared->init)));
  co_return Done{};
}

Task<Result<DeployReport>> StagedDeployer::commit(const DeployRequest& request, Draft& draft) {
  function::DeployCommit change;
  change.function = request.name;
  change.configuration = draft.version->configuration;
  change.code = draft.version->code;
  change.message = request.message;
  change.url = request.url;
  change.logs = request.logs;
  change.tags = request.tags;
  change.keep_versions = parts_.keep_versions;
  if (draft.before) change.expected_revision = draft.before->latest->revision_id;
  change.draft = std::move(draft.kept);
  auto write = [this, change = std::move(change)]() mutable {
    return parts_.catalog.commit_deploy(std::move(change));
  };
  auto outcome = co_await run_blocking(parts_.store_thread, std::move(write));
  if (!outcome) {
    if (draft.prepared) parts_.invoker.abandon_prepared(draft.version);
    co_return fail(std::move(outcome.error()), "commit the deploy of {}", request.name);
  }
  // One that may have an older value of a secret serves nobody.
  const bool fresh = draft.secrets == parts_.secrets.revision();
  if (draft.prepared && (outcome->unchanged || !fresh))
    parts_.invoker.abandon_prepared(draft.version);
  if (draft.prepared && !outcome->unchanged && fresh)
    parts_.invoker.adopt_prepared(draft.version, outcome->version);
  DeployReport report;
  report.version = outcome->version;
  report.unchanged = outcome->unchanged;
  report.shared = outcome->shared;
  report.init = draft.init;
  report.driver = function::to_string(*draft.version->configuration.driver);
  std::optional<std::map<std::string, std::string>> former;
  if (draft.before) former = draft.before->answering()->configuration.environment;
  report.variables = function::variable_change(former, draft.version->configuration.environment);
  for (const auto& gone : outcome->cleaned) report.cleaned.push_back(gone->number);
  co_return report;
}

}  // namespace lambda::deploy
