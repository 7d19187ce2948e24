// lambda.toml: what a folder says of its function, or of several. Errors name the line. Blocking
// reads at the start.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lambda::cli {

// One [[schedule]]; as `lambda schedule`.
struct ManifestSchedule {
  std::optional<std::string> name, cron, timezone, overlap, misfire, jitter, data, from, until;
};

struct Manifest {
  std::filesystem::path directory;  // of the function's code
  std::optional<std::string> name;
  std::optional<std::string> runtime;
  std::optional<std::string> handler;
  std::optional<std::string> kind;
  std::optional<std::string> description;
  std::optional<std::string> url;
  std::optional<std::string> driver;
  std::optional<std::string> isolation;
  std::optional<std::int64_t> port;
  std::optional<std::int64_t> concurrency;
  std::optional<std::int64_t> idle_time, min_instances;
  std::optional<double> cpus;
  std::optional<std::int64_t> timeout;
  std::optional<std::int64_t> memory;
  std::optional<std::int64_t> ephemeral_storage;
  std::optional<std::string> egress;             // as --egress
  std::optional<std::string> log_size, log_age;  // as --log-size, --log-age
  // Of its asynchronous events; as `lambda queue config`.
  std::optional<std::int64_t> retries;
  std::optional<std::string> max_age, on_success, on_failure;
  std::vector<ManifestSchedule> schedules;
  bool written = false;  // there is a lambda.toml: what it does not declare is not declared
  std::map<std::string, std::string> environment;
  std::optional<std::vector<std::string>> secrets;  // NAME, NAME:file
  bool build = false;                               // as --build
  std::map<std::string, std::string> build_environment;
  std::vector<std::filesystem::path>
      include;  // further files and folders, packed at the root under their own names
};

// The functions that the folder declares: one for a plain file or none at all, several for
// [[function]] tables (each with a name; what stands above them holds for all).
Result<std::vector<Manifest>> read_manifests(const std::filesystem::path& folder);

}  // namespace lambda::cli
