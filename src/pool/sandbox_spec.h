// From a version to what its sandbox is started with: argv, environment, root, limits (sections 2.1
// and 2.2 of AWS's documented function environment). Pure; any thread.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "function/catalog.h"
#include "function/function.h"
#include "sandbox/runtime_catalog.h"
#include "sandbox/sandbox.h"

#include <filesystem>
#include <string>

namespace lambda::pool {

// Where an HTTP function listens when neither its settings nor its Dockerfile say.
inline constexpr std::uint16_t kDefaultHttpPort = 8080;

struct SpecInput {
  const function::Version& version;
  const function::Tenant& tenant;
  const sandbox::RuntimeCatalog& runtimes;
  std::filesystem::path task_directory;  // of the code package; empty for images
  std::string instance_id;
  WallTime now{};
  EgressRule egress{};               // of a function that names none
  function::SecretValues secrets{};  // win over variables of the same name
};

// Errors: unavailable or invalid (the runtime, see RuntimeCatalog::find).
Result<sandbox::SandboxSpec> make_spec(const SpecInput& input);

[[nodiscard]] std::uint16_t http_port(const function::Version& version);

}  // namespace lambda::pool
