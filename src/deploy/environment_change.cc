// Other environment variables for the code that is there: a version of its own, which is started,
// initialised and made live as by a deploy.
//
// A draft that nobody has made live stays one, its code untried: the change is made to what is
// live, and to the draft beside it, so that making it live later does not undo the change.
//
// A function that has no `live` is answered for by $LATEST, and that alone is changed then: an
// alias would keep AWS's tools from changing what answers.
#include "base/crypto.h"
#include "base/encoding.h"
#include "base/environment_rules.h"
#include "deploy/deploy_draft.h"
#include "deploy/staged_deployer.h"
#include "function/validation.h"

#include <spdlog/fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <utility>

namespace lambda::deploy {
namespace {

constexpr std::size_t kLongestMessage = 200;

class NoProgress final : public Progress {
 public:
  void begin_step(int, std::string_view) override {}
  void output(std::string_view) override {}
  void end_step(int, std::string_view) override {}
  void when_abandoned(std::function<void()>) override {}
};

Result<function::Configuration> applied(function::Configuration configuration,
                                        const EnvironmentChange& change) {
  auto variables = configuration.environment.value_or(Variables());
  for (const auto& name : change.unset) variables.erase(name);
  for (const auto& [name, value] : change.set) variables[name] = value;
  if (auto good = check_variables(variables); !good) return fail(std::move(good.error()));
  configuration.environment = std::move(variables);
  if (auto good = function::check_configuration(configuration); !good)
    return fail(std::move(good.error()));
  return configuration;
}

// The same where what is unset must be there.
Result<function::Configuration> changed(function::Configuration configuration,
                                        const EnvironmentChange& change) {
  const auto variables = configuration.environment.value_or(Variables());
  for (const auto& name : change.unset) {
    if (variables.contains(name)) continue;
    std::vector<std::string> names;
    for (const auto& [known, value] : variables) names.push_back(known);
    return fail(ErrorCode::not_found, "{} has no environment variable {}: it has {}",
                change.function, name,
                names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
  }
  return applied(std::move(configuration), change);
}

// What a draft that nobody made live has then; nothing where there is no such draft.
Result<std::optional<function::Configuration>> changed_draft(const function::Function& function,
                                                             const EnvironmentChange& change) {
  if (!function.draft_is_news()) return std::optional<function::Configuration>();
  auto draft = applied(function.latest->configuration, change);
  if (!draft) {
    return fail(std::move(draft.error()),
                "make the same change to $LATEST of {}, which is not live and which a deploy or "
                "AWS's tools can change",
                function.name);
  }
  return std::optional(std::move(*draft));
}

// For `lambda versions`: names, and no value.
std::string message_of(const EnvironmentChange& change) {
  function::VariableChange names;
  for (const auto& [name, value] : change.set) names.set.push_back(name);
  names.unset = change.unset;
  return std::string(first_of_utf8(names.text(), kLongestMessage));
}

}  // namespace

Task<Result<DeployReport>> StagedDeployer::change_environment(EnvironmentChange change) {
  const auto turn = co_await queue_.wait_turn(change.function);
  const auto snapshot = parts_.catalog.snapshot();
  const auto found = snapshot->functions.find(change.function);
  if (found == snapshot->functions.end())
    co_return fail(ErrorCode::not_found, "there is no function \"{}\"", change.function);
  const auto& before = found->second;
  if (before->live() == nullptr) co_return co_await change_draft(std::move(change), before);
  const auto former = before->answering();
  auto configuration = changed(former->configuration, change);
  if (!configuration) co_return fail(std::move(configuration.error()));
  auto kept = changed_draft(*before, change);
  if (!kept) co_return fail(std::move(kept.error()));
  const bool keeps_draft = kept->has_value();
  Draft draft;
  draft.kept = std::move(*kept);
  draft.before = before;
  draft.version = std::make_shared<function::Version>();
  draft.version->function = change.function;
  draft.version->number = before->next_version;
  draft.version->configuration = std::move(*configuration);
  draft.version->code = former->code;
  draft.version->revision_id = random_uuid();
  draft.version->last_modified = parts_.clock.now();
  draft.unchanged = is_live_already(draft);
  if (!draft.unchanged) {
    spdlog::info("environment {}: initialise", change.function);
    NoProgress progress;
    DeployFailure failure;
    auto initialised = co_await initialise(draft, progress, failure);
    if (!initialised)
      co_return fail(std::move(initialised.error()), "the environment of {} was left as it was",
                     change.function);
  }
  DeployRequest request;
  request.name = change.function;
  request.message = message_of(change);
  auto report = co_await commit(request, draft);
  if (report) report->draft_kept = keeps_draft;
  co_return report;
}

Task<Result<DeployReport>> StagedDeployer::change_draft(EnvironmentChange change,
                                                        function::FunctionPtr before) {
  const auto had = before->latest->configuration.environment;
  auto write = [this, change = std::move(change), revision = before->latest->revision_id] {
    const auto apply = [&change](function::Configuration configuration) {
      return changed(std::move(configuration), change);
    };
    return parts_.catalog.update_configuration(change.function, apply, revision);
  };
  auto version = co_await run_blocking(parts_.store_thread, std::move(write));
  if (!version) co_return fail(std::move(version.error()));
  DeployReport report;
  report.version = std::move(*version);
  report.unchanged = report.version->configuration.environment == had;
  report.variables = function::variable_change(had, report.version->configuration.environment);
  co_return report;
}

}  // namespace lambda::deploy
