#include "deploy/dependencies/dependency_installer.h"

#include "base/crypto.h"
#include "base/encoding.h"

#include <spdlog/fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <cstdint>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

namespace lambda::deploy {
namespace {

namespace fs = std::filesystem;

// Changes when what is kept of the same inputs would be made otherwise.
constexpr std::string_view kFormat = "1";
// The lock file of a large project has a few megabytes.
constexpr std::uintmax_t kLargestLockFile = 32u << 20;
constexpr int kStep = 2;

// A file of a package, whose links do not leave it. One that is there and cannot be read whole is
// not absent, for the installer may read it: it is unlike every other, so that nothing is found for
// it among what is kept.
std::optional<std::string> read_file(const fs::path& package, const std::string& name) {
  if (name.starts_with('/') || name.starts_with("..")) return std::nullopt;
  const auto path = package / name;
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path, error))) return std::nullopt;
  if (!fs::is_regular_file(path, error) || fs::file_size(path, error) > kLargestLockFile || error)
    return random_uuid();
  std::ifstream file(path, std::ios::binary);
  if (!file) return random_uuid();
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// Each with its length, so that no two lists are one text.
class Digest {
 public:
  void add(std::string_view text) {
    digest_.update(fmt::format("{}:", text.size()));
    digest_.update(text);
  }
  void add(const std::map<std::string, std::string>& texts) {
    add(std::to_string(texts.size()));
    for (const auto& [name, text] : texts) {
      add(name);
      add(text);
    }
  }
  [[nodiscard]] std::string finish() { return hex_encode(digest_.finish()); }

 private:
  Sha256Stream digest_;
};

// What the upload brings of the same place is not taken: npm makes its folder anew.
std::string_view replaced_folder(std::string_view family) {
  return family == "node" ? "node_modules" : "";
}

}  // namespace

Result<Done> DependencyInstaller::check(std::string_view runtime) const {
  if (parts_.build.limit.count() == 0) {
    return fail(ErrorCode::unsupported,
                "this server installs no dependencies (its build_time is 0): deploy a folder that "
                "holds them, or with a Dockerfile");
  }
  auto found = parts_.runtimes.find(runtime);
  if (!found) return fail(std::move(found.error()));
  const auto installer = installer_of(found->family);
  if (installer.empty()) {
    return fail(ErrorCode::invalid,
                "--build installs dependencies for Python and Node.js, and not for {}: put what "
                "the function needs into its folder",
                runtime);
  }
  std::error_code error;
  if (fs::exists(found->root / installer, error)) return Done{};
  return fail(ErrorCode::unavailable,
              "the base file system of {} is older than this server and has no installer: run "
              "`runtimes/build {}` there as root, then start the server again (`./run restart`)",
              runtime, found->name);
}

Result<DependencyInstaller::Plan> DependencyInstaller::plan(const function::Version& version,
                                                            const sandbox::Runtime& runtime,
                                                            const BuildRequest& request) const {
  const auto code = parts_.packages.code_directory(version.code.package_digest);
  const ReadFile read = [&code](const std::string& name) { return read_file(code, name); };
  auto locks = find_lock_files(runtime.family, read);
  if (!locks) return fail(std::move(locks.error()));
  Digest digest;
  digest.add(kFormat);
  digest.add(version.function);
  digest.add(runtime.name);
  digest.add(runtime.inputs);
  digest.add(locks->local ? version.code.package_digest : "");
  digest.add(locks->files);
  digest.add(request.environment);
  Plan plan;
  plan.locks = std::move(*locks);
  plan.key = digest.finish();
  return plan;
}

Task<Result<UniqueFd>> DependencyInstaller::install(const function::Version& version,
                                                    std::string family, Plan plan,
                                                    const BuildRequest& request,
                                                    Progress& progress) {
  auto built = co_await run_build(parts_.build, version, family, request.environment, progress);
  if (!built) co_return fail(std::move(built.error()));
  if (!plan.locks.open.empty())
    progress.output(fmt::format("Not kept for the next deploy: {}\n", plan.locks.open));
  auto keep = [&cache = parts_.cache, file = *built, key = plan.key,
               kept = plan.locks.open.empty()]() -> Result<UniqueFd> {
    UniqueFd opened(::open(file->path().c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened) return fail(Error::from_errno("read what was installed"));
    if (!kept) return opened;
    // It is there for this deploy, whatever comes of the next.
    if (auto done = cache.keep(key, file->path()); !done)
      spdlog::warn("keep installed dependencies: {}", done.error().message());
    return opened;
  };
  co_return co_await run_blocking(parts_.build.disk, std::move(keep));
}

Task<Result<function::Package>> DependencyInstaller::add_to(const function::Version& version,
                                                            const BuildRequest& request,
                                                            Progress& progress) {
  progress.begin_step(kStep, "Installing dependencies");
  auto able = check(version.configuration.runtime);
  if (!able) co_return fail(std::move(able.error()));
  auto runtime = parts_.runtimes.find(version.configuration.runtime);
  if (!runtime) co_return fail(std::move(runtime.error()));
  auto look = [this, &version, &runtime, &request] { return plan(version, *runtime, request); };
  auto planned = co_await run_blocking(parts_.build.disk, std::move(look));
  if (!planned) co_return fail(std::move(planned.error()));
  std::optional<UniqueFd> installed;
  const bool may_be_kept = planned->locks.open.empty();
  if (request.cache && may_be_kept) {
    auto find = [this, key = planned->key] { return parts_.cache.find(key); };
    installed = co_await run_blocking(parts_.build.disk, std::move(find));
  }
  const bool cached = installed.has_value();
  if (!cached) {
    auto fresh = co_await install(version, runtime->family, std::move(*planned), request, progress);
    if (!fresh) co_return fail(std::move(fresh.error()));
    installed = std::move(*fresh);
  }
  auto merge = [this, digest = version.code.package_digest, family = runtime->family,
                tar = std::make_shared<UniqueFd>(std::move(*installed))] {
    return function::merge_package(parts_.packages, digest, replaced_folder(family), tar->get());
  };
  auto merged = co_await run_blocking(parts_.build.disk, std::move(merge));
  if (!merged) co_return fail(std::move(merged.error()), "add the dependencies to the package");
  if (!merged->kept_own.empty()) {
    progress.output(
        fmt::format("Note: both in the function's own files and among what was installed; its own "
                    "are used: {}\n",
                    fmt::join(merged->kept_own, ", ")));
  }
  progress.end_step(kStep, cached ? "Done. Dependencies unchanged (cached)." : "Done.");
  co_return std::move(merged->package);
}

}  // namespace lambda::deploy
