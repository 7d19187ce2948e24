// Makes instances: builds the sandbox's description from a version, picks the driver that the
// version remembers, and starts it. Immutable after construction; start() on any loop, the instance
// belongs to that loop.
#pragma once

#include "base/async.h"
#include "base/clock.h"
#include "base/result.h"
#include "function/catalog.h"
#include "function/package_store.h"
#include "function/secret_table.h"
#include "observe/log_store.h"
#include "pool/instance.h"
#include "sandbox/runtime_catalog.h"
#include "sandbox/sandbox.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lambda::invoke {

// Everything outlives the starter. A driver that this server does not have is null; its absence is
// explained by the texts.
struct Drivers {
  sandbox::Driver* native = nullptr;
  sandbox::Driver* docker = nullptr;
  function::DriverName standard = function::DriverName::native;
  std::string native_missing;  // why there is no native driver
  std::string docker_missing;

  [[nodiscard]] Result<sandbox::Driver*> pick(const function::Version& version) const;
};

class InstanceStarter {
 public:
  InstanceStarter(Drivers drivers, const sandbox::RuntimeCatalog& runtimes,
                  const function::PackageStore& packages, const function::SecretTable& secrets,
                  observe::LogStore& logs, const Clock& clock, function::Tenant tenant,
                  EgressRule egress = {});  // of functions that name none

  // What it writes goes to `log`. A function that asks for a secret which does not exist is an
  // instance that failed to initialise.
  Task<Result<std::shared_ptr<pool::Instance>>> start(function::VersionPtr version,
                                                      observe::LogSourcePtr log) const;
  // Of the function that has this name now.
  [[nodiscard]] observe::LogSourcePtr log_of(const std::string& function) const {
    return logs_.source(function);
  }
  // The same sandbox with another program as its runtime, without secrets and way out; what that
  // writes is in no log.
  Task<Result<std::shared_ptr<pool::Instance>>> start_program(function::VersionPtr version,
                                                              std::vector<std::string> argv) const;
  // That sandbox alone, without secrets and way out, for whoever serves its socket and reads its
  // log. On the caller's loop.
  Task<Result<std::unique_ptr<sandbox::Sandbox>>> start_sandbox(
      function::VersionPtr version, std::vector<std::string> argv) const;
  // Its instances will be wanted soon.
  void expect(const function::Version& version) const;
  [[nodiscard]] const Drivers& drivers() const { return drivers_; }

 private:
  // The version's own where `argv` is empty.
  [[nodiscard]] Result<sandbox::SandboxSpec> spec_of(const function::Version& version,
                                                     std::string id, std::vector<std::string> argv,
                                                     function::SecretValues secrets) const;
  Task<Result<std::shared_ptr<pool::Instance>>> start_with(function::VersionPtr version,
                                                           std::vector<std::string> argv,
                                                           observe::LogSourcePtr log,
                                                           function::SecretValues secrets) const;
  [[nodiscard]] static std::string new_id();
  [[nodiscard]] std::shared_ptr<pool::Instance> refused(LoopExecutor executor,
                                                        function::VersionPtr version,
                                                        observe::LogSourcePtr log,
                                                        std::string reason) const;

  Drivers drivers_;
  const sandbox::RuntimeCatalog& runtimes_;
  const function::PackageStore& packages_;
  const function::SecretTable& secrets_;
  observe::LogStore& logs_;
  const Clock& clock_;
  function::Tenant tenant_;
  EgressRule egress_;
};

}  // namespace lambda::invoke
