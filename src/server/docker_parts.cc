#include "server/docker_parts.h"

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <exception>
#include <optional>
#include <unistd.h>

namespace lambda::server {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSystemSocket = "/var/run/docker.sock";

// Runs one coroutine to its end, before there are loops.
template <class T>
T run_now(Task<T> task) {
  Loop loop{1};
  std::optional<T> value;
  std::exception_ptr error;
  auto done = [&](std::exception_ptr thrown, T result) {
    error = thrown;
    if (!thrown) value.emplace(std::move(result));
  };
  asio::co_spawn(loop.get_executor(), std::move(task), done);
  loop.run();
  if (error) std::rethrow_exception(error);
  return std::move(*value);
}

}  // namespace

Result<fs::path> docker_socket(const std::string& configured,
                               const std::function<const char*(const char*)>& get) {
  std::string host = configured;
  std::string source = "docker_host";
  if (const char* variable = get("DOCKER_HOST"); host.empty() && variable != nullptr) {
    host = variable;
    source = "DOCKER_HOST";
  }
  if (host == "none") {
    return fail(ErrorCode::unavailable, "Docker is not used on this server ({} is none)", source);
  }
  if (host.starts_with("unix://")) return fs::path(host.substr(7));
  if (host.starts_with('/')) return fs::path(host);
  if (!host.empty()) {
    return fail(
        ErrorCode::invalid,
        "{} is \"{}\": only a Docker Engine on this machine can be used, by its unix socket "
        "(unix:///run/docker.sock)",
        source, host);
  }
  std::vector<fs::path> places{kSystemSocket};
  if (const char* directory = get("XDG_RUNTIME_DIR"); directory != nullptr)
    places.push_back(fs::path(directory) / "docker.sock");
  if (const char* home = get("HOME"); home != nullptr)
    places.push_back(fs::path(home) / ".docker/run/docker.sock");
  std::error_code error;
  for (const auto& place : places) {
    if (fs::exists(place, error)) return place;
  }
  return fs::path(kSystemSocket);
}

bool is_system_socket(const fs::path& path) {
  return path == kSystemSocket || path == "/run/docker.sock";
}

Result<DockerParts> DockerParts::make(const Configuration& configuration,
                                      const UniqueFd& init_program, sandbox::docker::Groups groups,
                                      const sandbox::RuntimeCatalog& runtimes,
                                      std::vector<std::string> used_images, BlockingPool& users) {
  auto socket = docker_socket(configuration.docker_host,
                              [](const char* name) -> const char* { return std::getenv(name); });
  if (!socket) return fail(std::move(socket.error()));
  if (!init_program) {
    return fail(ErrorCode::unavailable,
                "lambda-init, which belongs beside lambdad, is not there: install Lambda again");
  }
  auto mark = sandbox::docker::ServerMark::load(configuration.data_directory);
  if (!mark) return fail(std::move(mark.error()));
  DockerParts parts;
  parts.engine = std::make_shared<sandbox::docker::EngineClient>(*socket, users, groups);
  auto image_of = [&runtimes](std::string_view name) -> Result<std::string> {
    auto runtime = runtimes.find(name);
    if (!runtime) return fail(std::move(runtime.error()));
    return runtime->docker_image;
  };
  auto driver = sandbox::docker::DockerDriver::create(parts.engine, *mark, init_program, image_of);
  if (!driver) return fail(std::move(driver.error()));
  parts.driver = std::move(*driver);
  auto images =
      sandbox::image::DockerImageBuilder::create(parts.engine, *mark, configuration.data_directory);
  if (!images) return fail(std::move(images.error()));
  parts.images = std::move(*images);
  auto probed = run_now(parts.driver->probe());
  parts.works = probed.has_value();
  parts.text = probed ? *probed : probed.error().message();
  if (!parts.works) return parts;
  auto reaped = run_now(parts.driver->reap_leftovers());
  if (!reaped) spdlog::warn("containers of an earlier server: {}", reaped.error().message());
  auto collected = run_now(parts.images->collect_garbage(std::move(used_images)));
  if (!collected) spdlog::warn("images of an earlier server: {}", collected.error().message());
  return parts;
}

Task<void> DockerParts::remove_earlier_containers() const {
  using Leftovers = sandbox::docker::DockerDriver::Leftovers;
  auto reaped = co_await driver->reap_leftovers(Leftovers::earlier);
  std::string said;
  while (!reaped) {
    const auto why = reaped.error().message();
    if (why != said) spdlog::warn("containers of an earlier server: {}", why);
    said = why;
    co_await sleep_for(kAskDockerAgain);
    reaped = co_await driver->reap_leftovers(Leftovers::earlier);
  }
}

}  // namespace lambda::server
