// CountedDeployer: a Deployer whose deploys are counted by what came of them. Threads: the
// Deployer's.
#pragma once

#include "deploy/deployer.h"
#include "observe/metrics/server_counters.h"

#include <utility>

namespace lambda::server {

class CountedDeployer final : public deploy::Deployer {
 public:
  // Both outlive it.
  CountedDeployer(deploy::Deployer& deployer, observe::ServerCounters& counters)
      : deployer_(deployer), counters_(counters) {}

  Task<Result<deploy::DeployReport>> deploy(deploy::DeployRequest request, http::BodyReader& body,
                                            deploy::Progress& progress,
                                            deploy::DeployFailure& failure) override {
    auto report = co_await deployer_.deploy(std::move(request), body, progress, failure);
    counters_.deployed(result_of(report));
    co_return report;
  }
  Task<Result<deploy::DeployReport>> change_environment(deploy::EnvironmentChange change) override {
    auto report = co_await deployer_.change_environment(std::move(change));
    counters_.deployed(result_of(report));
    co_return report;
  }
  [[nodiscard]] Result<Done> check(const deploy::DeployRequest& request) const override {
    return deployer_.check(request);
  }

 private:
  static observe::DeployResult result_of(const Result<deploy::DeployReport>& report) {
    using observe::DeployResult;
    if (report) return report->unchanged ? DeployResult::unchanged : DeployResult::succeeded;
    return report.error().code() == ErrorCode::function_failed ? DeployResult::function_failed
                                                               : DeployResult::failed;
  }

  deploy::Deployer& deployer_;
  observe::ServerCounters& counters_;
};

}  // namespace lambda::server
