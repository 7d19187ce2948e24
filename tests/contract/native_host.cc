#include "driver_host.h"
#include "sandbox/native/native_driver.h"

#include <cstdlib>
#include <filesystem>

namespace lambda::sandbox {
namespace {

namespace fs = std::filesystem;

class NativeHost final : public DriverHost {
 public:
  NativeHost() {
    char pattern[] = "/tmp/lambda-contract-XXXXXX";
    directory_ = ::mkdtemp(pattern);
    fs::permissions(directory_, fs::perms(0711));
    native::SpawnOptions options;
    options.program_directory = LAMBDA_PROGRAMS;
    options.data_directory = directory_;
    const char* runtimes = std::getenv("LAMBDA_RUNTIMES_DIR");
    options.runtimes_directory = runtimes != nullptr ? runtimes : "/var/lib/lambda-runtimes";
    spawn_ = native::SpawnClient::launch(options);
    driver_ = std::make_unique<native::NativeDriver>(*spawn_);
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
      if (at->path().filename() == id) found += at->path().string() + " ";
    }
    return found;
  }

 private:
  fs::path directory_;
  std::unique_ptr<native::SpawnClient> spawn_;
  std::unique_ptr<native::NativeDriver> driver_;
};

}  // namespace

std::unique_ptr<DriverHost> make_native_host() {
  return std::make_unique<NativeHost>();
}

}  // namespace lambda::sandbox
