// StagedDeployer: the Deployer. Its stages, each named in the server's log as it begins, so that a
// crash can be placed:
//   receive -> check -> build -> initialise -> commit
#pragma once

#include "base/blocking.h"
#include "base/clock.h"
#include "deploy/deploy_queue.h"
#include "deploy/deployer.h"
#include "function/catalog.h"
#include "function/package_store.h"
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
    invoke::Invoker& invoker;
    sandbox::ImageBuilder* images;  // null: no Docker Engine
    std::string images_missing;     // why, for people
    // Any thread: whether a version has the image, of those that are gone but may still run, too.
    std::function<bool(const std::string& image)> uses_image;
    // Done when this server can run the runtime; else says why not and what to do.
    std::function<Result<Done>(std::string_view runtime)> check_runtime;
    BlockingPool& store_thread;
    BlockingPool& disk;
    const Clock& clock;
    std::filesystem::path temporary;  // a directory of its own, emptied at the start
    function::DriverName standard_driver;
    std::size_t keep_versions;
  };
  explicit StagedDeployer(Parts parts) : parts_(std::move(parts)) {}

  Task<Result<DeployReport>> deploy(DeployRequest request, http::BodyReader& body,
                                    Progress& progress, DeployFailure& failure) override;
  [[nodiscard]] Result<Done> check(const DeployRequest& request) const override;

 private:
  // One deploy on its way.
  struct Draft;

  Task<Result<DeployReport>> make_version(const DeployRequest& request, Draft& draft,
                                          Progress& progress, DeployFailure& failure);
  Task<void> discard_image(Draft& draft);
  Task<Result<Done>> receive(const DeployRequest& request, http::BodyReader& body, Draft& draft);
  Result<Done> plan(const DeployRequest& request, Draft& draft) const;
  [[nodiscard]] Result<function::Configuration> configuration_of(
      const DeployRequest& request, const function::FunctionPtr& before) const;
  // Which settings nobody named come from $LATEST, where it has others than what is live; or "".
  [[nodiscard]] std::string note_of_draft(const DeployRequest& request,
                                          const function::FunctionPtr& before,
                                          const function::Configuration& merged) const;
  [[nodiscard]] tl::unexpected<Error> no_images() const;
  Task<Result<Done>> build(const DeployRequest& request, Draft& draft, Progress& progress);
  Task<Result<Done>> build_image(const DeployRequest& request, Draft& draft, Progress& progress);
  Task<Result<Done>> initialise(Draft& draft, Progress& progress, DeployFailure& failure);
  Task<Result<DeployReport>> commit(const DeployRequest& request, Draft& draft);

  Parts parts_;
  DeployQueue queue_;
};

}  // namespace lambda::deploy
