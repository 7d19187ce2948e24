#include "driver_host.h"
#include "sandbox/native/native_driver.h"

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <sys/xattr.h>
#include <thread>

namespace lambda::sandbox {
namespace {

namespace fs = std::filesystem;

fs::path runtimes_directory() {
  const char* named = std::getenv("LAMBDA_RUNTIMES_DIR");
  return named != nullptr ? named : "/var/lib/lambda-runtimes";
}

class NativeHost : public DriverHost {
 public:
  explicit NativeHost(native::StemLimits stems = {}) {
    char pattern[] = "/tmp/lambda-contract-XXXXXX";
    directory_ = ::mkdtemp(pattern);
    fs::permissions(directory_, fs::perms(0711));
    native::SpawnOptions options;
    options.program_directory = LAMBDA_PROGRAMS;
    options.data_directory = directory_;
    options.runtimes_directory = runtimes_directory();
    spawn_ = native::SpawnClient::launch(options);
    driver_ = std::make_unique<native::NativeDriver>(*spawn_, native::ImageRoots(), stems);
  }
  ~NativeHost() override {
    driver_.reset();
    spawn_.reset();
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }

  Driver& driver() override { return *driver_; }
  fs::path task_area() override { return directory_; }

  std::string leftovers(const std::string& id) override {
    std::string found;
    const auto options = fs::directory_options::skip_permission_denied;
    std::error_code error;
    for (fs::recursive_directory_iterator at("/sys/fs/cgroup", options, error), end; at != end;
         at.increment(error)) {
      if (error) break;
      if (at.depth() > 4) at.disable_recursion_pending();
      char mark[64];
      const auto size =
          ::getxattr(at->path().c_str(), "trusted.lambda.sandbox", mark, sizeof(mark));
      if (size > 0 && id == std::string_view(mark, static_cast<std::size_t>(size)))
        found += at->path().string() + " ";
    }
    return found;
  }

 protected:
  native::NativeDriver& native_driver() { return *driver_; }

 private:
  fs::path directory_;
  std::unique_ptr<native::SpawnClient> spawn_;
  std::unique_ptr<native::NativeDriver> driver_;
};

// Starts nothing afresh.
class StemDriver final : public Driver {
 public:
  explicit StemDriver(native::NativeDriver& driver) : driver_(driver) {}
  [[nodiscard]] std::string_view name() const override { return driver_.name(); }
  Task<Result<std::string>> probe() override { return driver_.probe(); }

  Task<Result<std::unique_ptr<Sandbox>>> start(
      SandboxSpec spec, std::chrono::steady_clock::time_point deadline) override {
    driver_.expect(spec);
    const bool can_be = fs::exists(runtimes_directory() / spec.runtime);
    while (can_be && driver_.stems().waiting() == 0) {
      if (std::chrono::steady_clock::now() > deadline)
        co_return fail(ErrorCode::timeout, "no stem was made in time");
      co_await sleep_for(std::chrono::milliseconds(5));
    }
    auto started = co_await driver_.start(std::move(spec), deadline);
    if (!started) co_return started;
    const auto steps = (*started)->start_steps();
    if (steps.empty() || steps.front().step != StartStep::stem)
      co_return fail(ErrorCode::internal, "this sandbox was no stem");
    co_return started;
  }

 private:
  native::NativeDriver& driver_;
};

class StemHost final : public NativeHost {
 public:
  StemHost() : NativeHost(few()), driver_(native_driver()) {
    asio::co_spawn(loop_, native_driver().stems().keep(), asio::detached);
    keeper_ = std::thread([this] { loop_.run(); });
  }
  ~StemHost() override {
    native_driver().stems().close();
    keeper_.join();
  }
  Driver& driver() override { return driver_; }

 private:
  static native::StemLimits few() {
    native::StemLimits limits;
    limits.least = 1;
    limits.most = 2;
    return limits;
  }
  StemDriver driver_;
  Loop loop_{1};
  std::thread keeper_;
};

}  // namespace

std::unique_ptr<DriverHost> make_native_host() {
  return std::make_unique<NativeHost>();
}

std::unique_ptr<DriverHost> make_stem_host() {
  return std::make_unique<StemHost>();
}

}  // namespace lambda::sandbox
