// One installation: a sandbox with the installer of the function's runtime in it, which reaches
// registries through a BuildProxy and nothing else, and hands over what it installed.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"
#include "deploy/dependencies/build_proxy.h"
#include "deploy/deployer.h"
#include "deploy/receive.h"
#include "invoke/invoker.h"

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace lambda::deploy {

// What an installation gets, whatever the function has: npm alone wants some 300 MB. /tmp holds the
// sources, downloads and what is installed, three times a package at the most.
inline constexpr int kBuildMemoryMb = 1024;
inline constexpr int kBuildDiskMb = 1024;

struct BuildParts {
  invoke::Invoker& invoker;
  BlockingPool& disk;
  BuildProxy::FindAddresses find;  // where builds may go
  egress::AddressRules rules;
  std::filesystem::path temporary;  // emptied at the server's start
  std::chrono::seconds limit;
};

// The installer's program in a base file system, below its root; "" for other families.
[[nodiscard]] std::string_view installer_of(std::string_view family);

// `version`: its code is what is installed for, its runtime and driver what it is installed in.
// Returns a tar. `parts` and `progress` live until it returns. Errors: invalid (it could not be
// installed: why), too_large, sandbox_failed (it took too long, or more memory than there is),
// unavailable (nobody waits for it any more, the server shuts down).
Task<Result<std::shared_ptr<TemporaryFile>>> run_build(
    const BuildParts& parts, const function::Version& version, std::string_view family,
    std::map<std::string, std::string> environment, Progress& progress);

}  // namespace lambda::deploy
