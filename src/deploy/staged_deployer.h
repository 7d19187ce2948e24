// StagedDeployer: the Deployer. Its stages, each named in the server's log as it begins, so that a
// crash can be placed:
//   receive -> check -> install dependencies, where asked for -> build -> initialise -> commit
#pragma once

#include "base/blocking.h"
#include "base/clock.h"
#include "deploy/dependencies/dependency_installer.h"
#include "deploy/deploy_queue.h"
#include "deploy/deployer.h"
#include "deploy/failed_deploy.h"
#include "function/catalog.h"
#include "function/package_store.h"
#include "function/secret_table.h"
#include "invoke/invoker.h"
#include "sandbox/image/image_builder.h"

#include <filesystem>
#include <string>

namespace lambda::deploy {

class StagedDeployer final : public Deployer {
 public:
  // All of it outlives the deployer.
  struct Parts {
    function::Catalog& catalog;
    function::PackageStore& packages;
    const function::SecretTable& secrets;
    invoke::Invoker& invoker;
    DependencyInstaller& dependencies;
    sandbox::ImageBuilder* images;  // null: no Docker Engine
    std::string images_missing;     // why, for people
    // Any thread: whether a version has the image, of those that are gone but may still run, too.
    std::function<bool(const std::string& image)> uses_image;
    // Done when this server can run the runtime; else says why not and what to do.
    std::function<Result<Done>(std::string_view runtime)> check_runtime;
    // Any thread: for the function's log.
    std::function<void(const FailedDeploy& failed)> on_failed;
    BlockingPool& store_thread;
    BlockingPool& disk;
    const Clock& clock;
    std::filesystem::path temporary;  // a directory of its own, emptied at the start
    function::DriverName standard_driver;
    std::size_t keep_versions;
    std::string egress_missing{};  // why no function gets out of its sandbox here; "": it does
  };
  explicit StagedDeployer(Parts parts) : parts_(std::move(parts)) {}

  Task<Result<DeployReport>> deploy(DeployRequest request, http::BodyReader& body,
                                    Progress& progress, DeployFailure& failure) override;
  Task<Result<DeployReport>> change_environment(EnvironmentChange change) override;
  [[nodiscard]] Result<Done> check(const DeployRequest& request) const override;

 private:
  // One deploy on its way.
  struct Draft;

  Task<Result<DeployReport>> make_version(const DeployRequest& request, Draft& draft,
                                          Progress& progress, DeployFailure& failure);
  Task<void> discard_image(Draft& draft);
  Task<Result<Done>> receive(const DeployRequest& request, http::BodyReader& body, Draft& draft);
  Result<Done> plan(const DeployRequest& request, Draft& draft) const;
  Task<Result<Done>> install(const DeployRequest& request, Draft& draft, Progress& progress);
  [[nodiscard]] Result<function::Configuration> configuration_of(
      const DeployRequest& request, const function::FunctionPtr& before) const;
  // Which settings nobody named come from $LATEST, where it has others than what is live; or "".
  [[nodiscard]] std::string note_of_draft(const DeployRequest& request,
                                          const function::FunctionPtr& before,
                                          const function::Configuration& merged) const;
  // Error: invalid (it asks for a secret that does not exist). What is both a variable and a
  // secret, for people; or "".
  [[nodiscard]] Result<std::string> check_secrets(const std::string& function,
                                                  const function::Configuration& merged) const;
  [[nodiscard]] tl::unexpected<Error> no_images() const;
  [[nodiscard]] static bool is_live_already(const Draft& draft);
  Task<Result<DeployReport>> change_draft(EnvironmentChange change, function::FunctionPtr before);
  Task<Result<Done>> build(const DeployRequest& request, Draft& draft, Progress& progress);
  Task<Result<Done>> build_image(const DeployRequest& request, Draft& draft, Progress& progress);
  Task<Result<Done>> initialise(Draft& draft, Progress& progress, DeployFailure& failure);
  Task<Result<DeployReport>> commit(const DeployRequest& request, Draft& draft);

  Parts parts_;
  DeployQueue queue_;
};

}  // namespace lambda::deploy
