#include "base/loop_runner.h"
#include "driver_host.h"
#include "sandbox/docker/container_request.h"
#include "sandbox/docker/docker_driver.h"
#include "sandbox/runtime_catalog.h"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <stdexcept>

namespace lambda::sandbox {
namespace {

namespace fs = std::filesystem;

template <class T>
T need(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return std::move(*result);
}

class DockerHost final : public DriverHost {
 public:
  DockerHost() {
    char pattern[] = "/tmp/lambda-contract-XXXXXX";
    directory_ = ::mkdtemp(pattern);
    fs::permissions(directory_, fs::perms(0711));
    engine_ = std::make_shared<docker::EngineClient>("/var/run/docker.sock", users_);
    const char* runtimes = std::getenv("LAMBDA_RUNTIMES_DIR");
    catalog_ =
        need(RuntimeCatalog::load(runtimes != nullptr ? runtimes : "/var/lib/lambda-runtimes"));
    auto image_of = [this](std::string_view runtime) -> Result<std::string> {
      auto found = catalog_.find(runtime);
      if (!found) return fail(std::move(found.error()).as(ErrorCode::unavailable));
      return found->docker_image;
    };
    mark_ = need(docker::ServerMark::load(directory_));
    const UniqueFd init(::open(LAMBDA_PROGRAMS "/lambda-init", O_RDONLY | O_CLOEXEC));
    driver_ = need(docker::DockerDriver::create(engine_, mark_, init, image_of));
  }
  ~DockerHost() override {
    // Whatever a failed test left.
    Loop loop{1};
    [[maybe_unused]] auto reaped = run_on(loop, driver_->reap_leftovers());
    driver_.reset();
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }

  Driver& driver() override { return *driver_; }
  fs::path task_area() override { return directory_; }

  std::string leftovers(const std::string& id) override {
    Loop loop{1};
    const auto name = docker::container_name(id);
    auto found =
        run_on(loop, engine_->call("GET", "/containers/" + name + "/json", std::string(),
                                   std::chrono::steady_clock::now() + std::chrono::seconds(10)));
    std::string left;
    if (found) left += "container " + name + " ";
    if (!found && found.error().code() != ErrorCode::not_found) left += found.error().message();
    if (fs::exists(mark_.directory / id)) left += "directory " + id;
    return left;
  }

 private:
  fs::path directory_;
  RuntimeCatalog catalog_;
  docker::ServerMark mark_;
  BlockingPool users_{"users", 1};
  std::shared_ptr<docker::EngineClient> engine_;
  std::unique_ptr<docker::DockerDriver> driver_;
};

}  // namespace

std::unique_ptr<DriverHost> make_docker_host() {
  return std::make_unique<DockerHost>();
}

}  // namespace lambda::sandbox
