// What functions run in: the drivers that can work here, and Docker Engine, which comes and goes.
#include "server/application_parts.h"

#include <spdlog/spdlog.h>

namespace lambda::server {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kDockerLimit{10};

}  // namespace

void Application::Parts::make_native_driver() {
  drivers.native_missing = "it needs lambdad to be started as root";
  if (!spawn) return;
  auto works = spawn->description();
  if (!works) {
    drivers.native_missing = works.error().message();
    return;
  }
  auto image_root = [this](std::string_view image_id) -> std::optional<fs::path> {
    if (!docker.images) return std::nullopt;
    return docker.images->exported_root(image_id);
  };
  native = std::make_unique<sandbox::native::NativeDriver>(*spawn, image_root,
                                                           stem_limits(configuration, *spawn));
  drivers.native = native.get();
  native_text = *works;
  if (configuration.egress.out && !spawn->uplink())
    spdlog::warn("no function reaches anything outside its sandbox: {}", egress_missing());
}

// Why no function gets out of its sandbox; "" where it does, or where no sandbox is made at all.
std::string Application::Parts::egress_missing() const {
  return !native || spawn->uplink() ? std::string() : spawn->uplink().error().message();
}

// The runtimes of the functions that there are, from the start on; every other kind once it is
// asked for.
void Application::Parts::keep_stems() {
  if (!native) return;
  asio::co_spawn(*threads.loops().front(), native->stems().keep(),
                 in_background("the keeper of stems"));
  const auto functions = catalog->snapshot();
  for (const auto& [name, function] : functions->functions) {
    const auto live = catalog->resolve_live(name);
    if (live && live->version->configuration.package_type == function::PackageType::zip)
      starter->expect(*live->version);
  }
}

void Application::Parts::make_docker_driver(const UniqueFd& init_program,
                                            sandbox::docker::Groups groups) {
  auto made = DockerParts::make(configuration, init_program, groups, runtimes,
                                catalog->used_images(), users);
  if (made) {
    docker = std::move(*made);
    drivers.docker = docker.driver.get();
  } else {
    docker.text = made.error().message();
  }
  drivers.docker_missing = docker.text;
}

Result<Done> Application::Parts::make_drivers(const UniqueFd& init_program,
                                              sandbox::docker::Groups groups) {
  make_docker_driver(init_program, groups);
  make_native_driver();
  using function::DriverName;
  drivers.standard = configuration.driver.value_or(drivers.native != nullptr ? DriverName::native
                                                                             : DriverName::docker);
  describe_drivers(docker.works, docker.text);
  const auto facts = driver_facts.values();
  if (facts.works) return Done{};
  if (configuration.driver) {
    return fail(
        ErrorCode::unavailable, "the {} driver cannot work here: {}",
        function::to_string(drivers.standard),
        drivers.standard == DriverName::native ? drivers.native_missing : drivers.docker_missing);
  }
  spdlog::warn("no driver can work here, so functions cannot start. {}", facts.reason);
  return Done{};
}

void Application::Parts::describe_drivers(bool docker_works, const std::string& docker_text) {
  const bool is_native = drivers.standard == function::DriverName::native;
  DriverFacts::Values facts;
  facts.docker = docker_text;
  facts.docker_works = docker_works;
  facts.works = is_native ? drivers.native != nullptr : docker_works;
  if (!facts.works) {
    facts.reason = fmt::format("none: native: {}; docker: {}", drivers.native_missing, docker_text);
  } else if (is_native) {
    facts.reason = native_text;
  } else if (configuration.driver) {
    facts.reason = docker_text;
  } else {
    facts.reason =
        fmt::format("{}; native cannot work here: {}", docker_text, drivers.native_missing);
  }
  driver_facts.set(std::move(facts));
}

// Whether Docker Engine answers now; where that is news, people are told.
Task<bool> Application::Parts::look_at_docker(std::chrono::seconds limit) {
  const auto described = co_await docker.engine->describe(in(limit));
  const auto text = described ? *described : described.error().message();
  if (text != driver_facts.values().docker) {
    describe_drivers(described.has_value(), text);
    spdlog::info("docker: {}", text);
    auto tell = [this] { return tell_local_clients(); };
    auto told = co_await run_blocking(disk, std::move(tell));
    if (!told) spdlog::warn("{}", told.error().message());
  }
  co_return described.has_value();
}

// Asks until it answers, where nobody does so already.
Task<void> Application::Parts::follow_docker() {
  if (following_docker.exchange(true)) co_return;
  // However it ends.
  auto end = [](std::atomic<bool>* following) { *following = false; };
  const std::unique_ptr<std::atomic<bool>, decltype(end)> ending(&following_docker, end);
  while (!co_await look_at_docker(kDockerLimit)) co_await sleep_for(kAskDockerAgain);
}

// Where it did not answer at the start: a machine that boots starts it when it likes.
Task<void> Application::Parts::wait_for_docker() {
  co_await follow_docker();
  co_await docker.remove_earlier_containers();
}

Task<Result<api::TakenCode>> Application::Parts::resolve_image(std::string reference,
                                                               function::DriverName driver) {
  if (!docker.images)
    co_return fail(ErrorCode::invalid, "ImageUri {}: {}", reference, drivers.docker_missing);
  auto image = co_await docker.images->inspect(reference);
  if (!image) {
    // To AWS's clients an image that is not there is a wrong parameter.
    co_return fail(std::move(image.error()).as(ErrorCode::invalid), "ImageUri {}", reference);
  }
  if (driver == function::DriverName::native) {
    auto root = co_await docker.images->export_root(image->id);
    if (!root) co_return fail(std::move(root.error()));
  }
  api::TakenCode taken;
  taken.code = deploy::code_of_image(std::move(reference), *image);
  taken.kept = image->pin;
  co_return taken;
}

}  // namespace lambda::server
