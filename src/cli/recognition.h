// What kind of function a folder holds, from its files; and whether what it depends on is in it.
// Reads the folder; blocking.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace lambda::cli {

struct Recognised {
  bool image = false;  // there is a Dockerfile
  std::string runtime;
  std::string handler;
  std::optional<std::uint16_t> port;  // the Dockerfile's first EXPOSE
};

// `runtime` and `handler` are what the caller named, or "". Errors: invalid, saying what was looked
// for, or that the handler's file is not there.
Result<Recognised> recognise(const std::filesystem::path& folder, const std::string& runtime,
                             const std::string& handler);

// requirements.txt and package.json: a dependency that is not in the folder stops the deploy.
// Error: invalid, with the exact command to run.
Result<Done> check_dependencies(const std::filesystem::path& folder, const std::string& runtime);

// The first EXPOSE of a Dockerfile's last stage, with its ARGs and ENVs filled in.
[[nodiscard]] std::optional<std::uint16_t> exposed_port(const std::string& dockerfile);

}  // namespace lambda::cli
