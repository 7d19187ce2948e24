#include "sandbox/runtime_catalog.h"

#include <boost/json.hpp>
#include <spdlog/fmt/ranges.h>

#include <fstream>
#include <sstream>

namespace lambda::sandbox {
namespace {

namespace fs = std::filesystem;

// AWS's names for one and the same thing here.
std::string_view canonical(std::string_view name) {
  return name == "provided.al2" || name == "provided.al2023" ? "provided" : name;
}

void add_with_other_names(std::string_view name, std::vector<std::string>& all) {
  all.emplace_back(name);
  if (name != "provided") return;
  all.emplace_back("provided.al2");
  all.emplace_back("provided.al2023");
}

// Named by AWS's service model; what is not built here gets a hint instead of "unknown".
constexpr std::string_view kBuildable[] = {"python3.11", "nodejs20.x", "nodejs22.x", "nodejs24.x",
                                           "provided"};

Result<Runtime> read_runtime(const fs::path& directory) {
  const fs::path description = directory / "runtime.json";
  std::ifstream file(description);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return fail(ErrorCode::internal, "cannot read {}", description.string());
  boost::system::error_code error;
  const auto value = boost::json::parse(text.str(), error);
  if (error || !value.is_object()) {
    return fail(ErrorCode::invalid,
                "{} is not a JSON object: delete its directory and run runtimes/build again",
                description.string());
  }
  Runtime runtime;
  const auto& object = value.as_object();
  auto text_of = [&object](std::string_view key) {
    const auto* found = object.if_contains(key);
    return found != nullptr && found->is_string() ? std::string(found->as_string()) : std::string();
  };
  runtime.name = text_of("name");
  runtime.family = text_of("family");
  runtime.docker_image = text_of("docker_image");
  if (const auto* stem = object.if_contains("stem"))
    runtime.stem = stem->is_bool() && stem->as_bool();
  runtime.root = directory / "rootfs";
  std::ifstream(directory / "inputs") >> runtime.inputs;
  if (const auto* argv = object.if_contains("argv"); argv != nullptr && argv->is_array()) {
    for (const auto& item : argv->as_array()) {
      if (item.is_string()) runtime.argv.emplace_back(item.as_string());
    }
  }
  if (const auto* env = object.if_contains("env"); env != nullptr && env->is_object()) {
    for (const auto& [key, item] : env->as_object()) {
      if (item.is_string()) runtime.environment.emplace(key, item.as_string());
    }
  }
  if (runtime.name.empty() || runtime.argv.empty()) {
    return fail(ErrorCode::invalid, "{} names no runtime or no argv: run runtimes/build again",
                description.string());
  }
  return runtime;
}

}  // namespace

Result<RuntimeCatalog> RuntimeCatalog::load(const fs::path& directory) {
  RuntimeCatalog catalog;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    // One that is just being built, or was replaced.
    if (entry.path().filename().native().starts_with('.')) continue;
    if (!fs::exists(entry.path() / "runtime.json")) continue;
    auto runtime = read_runtime(entry.path());
    if (!runtime)
      return fail(std::move(runtime.error()), "load runtimes from {}", directory.string());
    catalog.runtimes_.emplace(runtime->name, std::move(*runtime));
  }
  return catalog;
}

Result<Runtime> RuntimeCatalog::find(std::string_view name) const {
  const auto key = canonical(name);
  if (const auto found = runtimes_.find(key); found != runtimes_.end()) return found->second;
  for (const auto known : kBuildable) {
    if (known == key) {
      return fail(ErrorCode::unavailable,
                  "runtime {} is not built on this server: run `runtimes/build {}` there as root, "
                  "then start the server again (`./run restart`)",
                  name, key);
    }
  }
  if (runtimes_.empty()) {
    return fail(
        ErrorCode::invalid,
        "unknown runtime \"{}\", and none is built on this server: run `runtimes/build` there as "
        "root, then start the server again (`./run restart`)",
        name);
  }
  return fail(ErrorCode::invalid, "unknown runtime \"{}\": this server has {}", name,
              fmt::join(names(), ", "));
}

std::vector<std::string> RuntimeCatalog::names() const {
  std::vector<std::string> all;
  for (const auto& [name, runtime] : runtimes_) add_with_other_names(name, all);
  return all;
}

std::vector<std::string> RuntimeCatalog::missing() const {
  std::vector<std::string> all;
  for (const auto name : kBuildable) {
    if (!runtimes_.contains(name)) add_with_other_names(name, all);
  }
  return all;
}

}  // namespace lambda::sandbox
