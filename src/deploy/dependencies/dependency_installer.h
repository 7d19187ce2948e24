// DependencyInstaller: what a function's lock files name, into its package: from what is kept of
// an earlier installation with the same lock files, or by a build.
//
// An entry of the cache is a function's own: what runs while one function's dependencies are
// installed must not come to stand in another's.
//
// Threads: add_to() on any loop that runs functions; check() on any thread.
#pragma once

#include "base/async.h"
#include "base/result.h"
#include "deploy/dependencies/dependency_build.h"
#include "deploy/dependencies/dependency_cache.h"
#include "deploy/dependencies/lock_files.h"
#include "deploy/deployer.h"
#include "function/merged_package.h"
#include "function/package_store.h"
#include "sandbox/runtime_catalog.h"

#include <string>
#include <string_view>

namespace lambda::deploy {

class DependencyInstaller {
 public:
  // All of it outlives the installer.
  struct Parts {
    function::PackageStore& packages;
    const sandbox::RuntimeCatalog& runtimes;
    DependencyCache& cache;
    BuildParts build;  // a limit of zero: this server installs nothing
  };
  explicit DependencyInstaller(Parts parts) : parts_(std::move(parts)) {}

  // Whether dependencies can be installed for the runtime. Errors: invalid, unsupported,
  // unavailable.
  [[nodiscard]] Result<Done> check(std::string_view runtime) const;

  // `version` has its uploaded package; the result is that with its dependencies. Begins and ends
  // step 2. Errors: check()'s, find_lock_files()'s, run_build()'s, merge_package()'s.
  Task<Result<function::Package>> add_to(const function::Version& version,
                                         const BuildRequest& request, Progress& progress);

 private:
  struct Plan {
    LockFiles locks;
    std::string key;  // of the cache
  };
  [[nodiscard]] Result<Plan> plan(const function::Version& version, const sandbox::Runtime& runtime,
                                  const BuildRequest& request) const;
  Task<Result<UniqueFd>> install(const function::Version& version, std::string family, Plan plan,
                                 const BuildRequest& request, Progress& progress);

  Parts parts_;
};

}  // namespace lambda::deploy
