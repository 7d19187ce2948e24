#include "cli/after_deploy.h"

#include "cli/event_settings.h"
#include "cli/exit_code.h"
#include "cli/schedule_settings.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>

namespace lambda::cli {
namespace {

class Follower {
 public:
  Follower(ServerConnection& server, std::span<const DeployPlan> missing)
      : server_(server), missing_(missing) {}

  void set(const DeployPlan& plan) {
    set_events(plan);
    set_schedules(plan);
  }
  [[nodiscard]] AfterDeploy done() { return std::move(done_); }

 private:
  void set_events(const DeployPlan& plan) {
    auto events = plan.events;
    leave_out_missing(plan, "on_success", events.on_success);
    leave_out_missing(plan, "on_failure", events.on_failure);
    if (events.empty()) return;
    auto set = set_event_settings(server_, plan.name, events);
    if (set) return;
    auto error = std::move(set.error());
    failed(
        plan, "the event settings",
        std::move(error).with_context(fmt::format(
            "\"{}\" is deployed, but what lambda.toml says of its events is not set", plan.name)));
  }

  // The rest of the settings can be set all the same.
  void leave_out_missing(const DeployPlan& plan, const char* key,
                         std::optional<std::string>& destination) {
    const auto function = destination ? function_destination(*destination) : std::nullopt;
    if (!function) return;
    const auto is_it = [&](const DeployPlan& other) {
      return other.first && other.name == function->name;
    };
    if (std::ranges::none_of(missing_, is_it)) return;
    failed(plan, key,
           Error(ErrorCode::not_found,
                 fmt::format("\"{}\" is deployed, but its {} is not set: the function \"{}\" is "
                             "not there, as it was not deployed",
                             plan.name, key, function->name)));
    destination.reset();
  }

  void set_schedules(const DeployPlan& plan) {
    auto declared = declare_schedules(server_, plan.name, plan.manifest);
    if (declared) {
      for (const auto& change : *declared) std::fprintf(stderr, "%s\n", change.c_str());
      return;
    }
    auto error = std::move(declared.error());
    failed(plan, "the schedules",
           std::move(error).with_context(fmt::format(
               "\"{}\" is deployed, but the schedules of lambda.toml are not set", plan.name)));
  }

  void failed(const DeployPlan& plan, const char* what, const Error& error) {
    const int code = explain(error);
    if (done_.code == kDone) done_.code = code;
    done_.not_set.push_back(fmt::format("{} of \"{}\"", what, plan.name));
  }

  ServerConnection& server_;
  std::span<const DeployPlan> missing_;
  AfterDeploy done_;
};

}  // namespace

AfterDeploy set_what_follows(ServerConnection& server, std::span<const DeployPlan> deployed,
                             std::span<const DeployPlan> missing) {
  Follower follower(server, missing);
  for (const auto& plan : deployed) follower.set(plan);
  return follower.done();
}

}  // namespace lambda::cli
