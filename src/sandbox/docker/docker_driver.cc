// Steps of a start: control socket -> create and start the container, in a coroutine of its own
// that outlives a deadline (the Engine cannot be stopped half-way: what it made too late is
// removed) -> init connects and says hello -> the runtime starts.
#include "sandbox/docker/docker_driver.h"

#include "base/background.h"
#include "base/deadline.h"
#include "sandbox/docker/container.h"
#include "sandbox/docker/container_request.h"
#include "sandbox/docker/docker_sandbox.h"

#include <boost/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>

namespace lambda::sandbox::docker {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using std::chrono::seconds;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr seconds kShortLimit{10};
// While init connects, how often the container is asked whether it still lives.
constexpr std::chrono::milliseconds kLook{1000};

// A copy in a place of our own: the Engine mounts it by its path, and lambdad's own programs may
// lie where neither may look (a clone of the repository in /root), or be replaced while they run.
Result<Done> place_init(const UniqueFd& program, const fs::path& target) {
  const fs::path temporary = target.string() + ".new";
  ::unlink(temporary.c_str());
  const UniqueFd copy(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755));
  if (!copy) return fail(Error::from_errno("create " + temporary.string()));
  char buffer[64 * 1024];
  off_t offset = 0;
  while (true) {
    const ssize_t count = ::pread(program.get(), buffer, sizeof(buffer), offset);
    if (count < 0) return fail(Error::from_errno("read lambda-init"));
    if (count == 0) break;
    if (::write(copy.get(), buffer, static_cast<std::size_t>(count)) != count)
      return fail(Error::from_errno("write " + temporary.string()));
    offset += count;
  }
  if (::fchmod(copy.get(), 0755) != 0 || ::rename(temporary.c_str(), target.c_str()) != 0)
    return fail(Error::from_errno("put lambda-init at " + target.string()));
  return Done{};
}

Error about_image(Error error, const SandboxSpec& spec, const std::string& image) {
  if (error.code() != ErrorCode::not_found) {
    const bool passes =
        error.code() == ErrorCode::unavailable || error.code() == ErrorCode::timeout;
    return passes ? std::move(error) : Error(ErrorCode::sandbox_failed, error.message());
  }
  const auto text =
      spec.image_id.empty()
          ? fmt::format(
                "runtime {} is not in Docker Engine (no image {}): run `runtimes/build "
                "--docker {}` on this server",
                spec.runtime, image, spec.runtime)
          : fmt::format("image {} is no longer in Docker Engine: deploy the function again", image);
  return Error(ErrorCode::unavailable, text);
}

// Waits for init's connection for as long as its container lives.
Task<Result<UniqueFd>> wait_for_init(std::shared_ptr<Container> container, SteadyTime deadline) {
  while (true) {
    const auto until = std::min(deadline, in(kLook));
    auto connection = co_await container->control.accept(until);
    if (!connection) co_return fail(std::move(connection.error()));
    if (*connection) co_return std::move(*connection);
    if (std::chrono::steady_clock::now() >= deadline)
      co_return fail(ErrorCode::timeout, "the container's init did not connect in time");
    auto last_words = co_await last_words_of(*container, in(kShortLimit));
    if (last_words) {
      co_return fail(ErrorCode::sandbox_failed, "the container ended before its init connected: {}",
                     *last_words);
    }
  }
}

}  // namespace

DockerDriver::DockerDriver(std::shared_ptr<EngineClient> engine, ServerMark mark,
                           RuntimeImages runtime_images)
    : engine_(std::move(engine)),
      mark_(std::move(mark)),
      runtime_images_(std::move(runtime_images)) {}

Result<std::unique_ptr<DockerDriver>> DockerDriver::create(std::shared_ptr<EngineClient> engine,
                                                           ServerMark mark,
                                                           const UniqueFd& init_program,
                                                           RuntimeImages runtime_images) {
  auto placed = place_init(init_program, mark.directory / "lambda-init");
  if (!placed) return fail(std::move(placed.error()));
  return std::unique_ptr<DockerDriver>(
      new DockerDriver(std::move(engine), std::move(mark), std::move(runtime_images)));
}

Task<Result<std::vector<std::string>>> DockerDriver::volumes_of(std::string image_id,
                                                                SteadyTime deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = volumes_.find(image_id); found != volumes_.end())
      co_return found->second;
  }
  auto answer = co_await engine_->call("GET", fmt::format("/images/{}/json", url_encode(image_id)),
                                       std::string(), deadline);
  if (!answer) co_return fail(std::move(answer.error()));
  auto volumes = declared_volumes(*answer);
  const std::lock_guard lock(mutex_);
  volumes_[image_id] = volumes;
  co_return volumes;
}

Task<Result<std::unique_ptr<Sandbox>>> DockerDriver::start(SandboxSpec spec, SteadyTime deadline) {
  if (std::chrono::steady_clock::now() >= deadline)
    co_return fail(ErrorCode::timeout, "the container {} was not started in time", spec.id);
  ContainerPlan plan;
  plan.server = mark_.id;
  plan.run = mark_.run;
  plan.seccomp = engine_->has_seccomp();
  plan.image = spec.image_id;
  plan.init_program = mark_.directory / "lambda-init";
  if (spec.image_id.empty()) {
    auto image = runtime_images_(spec.runtime);
    if (!image) co_return fail(std::move(image.error()));
    plan.image = std::move(*image);
  } else {
    auto volumes = co_await volumes_of(spec.image_id, deadline);
    if (!volumes) co_return fail(about_image(std::move(volumes.error()), spec, plan.image));
    plan.volumes = std::move(*volumes);
  }
  auto control = ControlSocket::make(mark_.directory / spec.id);
  if (!control) co_return fail(std::move(control.error()), "make sandbox {}", spec.id);
  plan.control_directory = control->directory();

  const auto executor = co_await asio::this_coro::executor;
  auto container = std::make_shared<Container>(executor, engine_, std::move(*control));
  for (std::size_t i = 0; i < plan.volumes.size(); ++i)
    container->volumes.push_back(volume_name(spec.id, i));
  // Until a sandbox owns it, whoever leaves here leaves nothing behind.
  const AbandonUnlessTaken guard(container);
  asio::co_spawn(executor,
                 make_container(container, container_name(spec.id), container_body(spec, plan)),
                 in_background("making a container"));
  if (!co_await container->made.wait_until(deadline)) {
    co_return fail(ErrorCode::timeout, "Docker Engine did not start container {} in time",
                   container_name(spec.id));
  }
  if (container->error) {
    co_return fail(about_image(Error(*container->error), spec, plan.image), "start container {}",
                   container_name(spec.id));
  }
  const auto runs = std::chrono::steady_clock::now();
  auto connection = co_await wait_for_init(container, deadline);
  if (!connection)
    co_return fail(std::move(connection.error()), "start container {}", container_name(spec.id));

  auto sandbox = std::make_unique<DockerSandbox>(executor, spec, container, std::move(*connection));
  container->taken = true;
  auto begun = co_await sandbox->begin(std::move(spec), deadline);
  if (!begun) {
    auto error = std::move(begun.error());
    [[maybe_unused]] auto stopped = co_await sandbox->stop();
    co_return fail(std::move(error), "start in sandbox {}", sandbox->id());
  }
  StartStepTime launch;
  launch.step = StartStep::launch;
  launch.begin = runs;
  launch.duration = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - runs);
  container->steps.push_back(launch);
  std::unique_ptr<Sandbox> result = std::move(sandbox);
  co_return std::move(result);
}

Task<Result<std::string>> DockerDriver::probe() {
  co_return co_await engine_->describe(in(kShortLimit));
}

Task<Result<Done>> DockerDriver::reap_leftovers(Leftovers which) {
  // Control sockets of starts that were cut off. Their containers, and all others of an earlier
  // server, have lost their init's channel and can serve no more.
  if (which == Leftovers::all) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(mark_.directory, error)) {
      std::error_code ignored;
      if (entry.is_directory(ignored)) fs::remove_all(entry.path(), ignored);
    }
  }
  const std::string_view but = which == Leftovers::earlier ? mark_.run : std::string_view();
  auto answer =
      co_await engine_->call("GET", "/containers/json?all=1&filters=" + own_filter(mark_.id),
                             std::string(), in(kShortLimit));
  if (!answer) co_return fail(std::move(answer.error()));
  auto ids = ids_in(*answer, but);
  if (!ids) co_return fail(std::move(ids.error()));
  for (auto& id : *ids) {
    auto removed = co_await remove_container(engine_, std::move(id));
    if (!removed) co_return fail(std::move(removed.error()), "remove what an earlier server left");
  }
  auto listed = co_await engine_->call("GET", "/volumes?filters=" + own_filter(mark_.id),
                                       std::string(), in(kShortLimit));
  if (!listed) co_return fail(std::move(listed.error()));
  for (auto& name : volumes_in(*listed, but)) {
    auto removed = co_await remove_volume(engine_, std::move(name));
    if (!removed) co_return removed;
  }
  co_return Done{};
}

}  // namespace lambda::sandbox::docker
