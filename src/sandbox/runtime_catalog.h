// The runtimes that this server has: base file systems built by runtimes/build, described by
// runtime.json. Read once at the start; immutable afterwards; any thread.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::sandbox {

struct Runtime {
  std::string name;               // "python3.11"
  std::string family;             // "python", "node", "provided"
  std::filesystem::path root;     // the base file system on disk
  std::vector<std::string> argv;  // starts the runtime's own bootstrap
  bool stem = false;  // that understands --stem: it may be started before its function is known
  std::map<std::string, std::string> environment;
  std::string
      inputs;  // a digest of all that it was made from; "" of one that is not runtimes/build's
  std::string docker_image;  // the same file system in Docker: "lambda/python:3.11"
};

class RuntimeCatalog {
 public:
  // `directory` holds <name>/runtime.json and <name>/rootfs. What is not there is simply not
  // offered. Errors: a runtime.json that cannot be read.
  static Result<RuntimeCatalog> load(const std::filesystem::path& directory);

  // "provided", "provided.al2" and "provided.al2023" share one file system.
  // Errors: unavailable: known to AWS but not built here (names the command that builds it);
  // invalid: unknown (names those there are).
  [[nodiscard]] Result<Runtime> find(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> names() const;
  // Those that runtimes/build could make, and has not.
  [[nodiscard]] std::vector<std::string> missing() const;

 private:
  std::map<std::string, Runtime, std::less<>> runtimes_;
};

}  // namespace lambda::sandbox
