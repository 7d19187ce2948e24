#include "invoke/instance_starter.h"

#include "base/crypto.h"
#include "pool/sandbox_spec.h"

namespace lambda::invoke {

Result<sandbox::Driver*> Drivers::pick(const function::Version& version) const {
  const auto wanted = version.configuration.driver.value_or(standard);
  if (wanted == function::DriverName::native) {
    if (native != nullptr) return native;
    return fail(ErrorCode::unavailable,
                "function {} runs on the native driver, which this server lacks: {}",
                version.function, native_missing);
  }
  if (docker != nullptr) return docker;
  return fail(ErrorCode::unavailable,
              "function {} runs on the docker driver, which this server lacks: {}",
              version.function, docker_missing);
}

InstanceStarter::InstanceStarter(Drivers drivers, const sandbox::RuntimeCatalog& runtimes,
                                 const function::PackageStore& packages, observe::LogStore& logs,
                                 const Clock& clock, function::Tenant tenant)
    : drivers_(std::move(drivers)),
      runtimes_(runtimes),
      packages_(packages),
      logs_(logs),
      clock_(clock),
      tenant_(std::move(tenant)) {}

Task<Result<std::shared_ptr<pool::Instance>>> InstanceStarter::start(
    function::VersionPtr version, observe::LogSourcePtr log) const {
  co_return co_await start_with(std::move(version), {}, std::move(log));
}

Task<Result<std::shared_ptr<pool::Instance>>> InstanceStarter::start_program(
    function::VersionPtr version, std::vector<std::string> argv) const {
  co_return co_await start_with(std::move(version), std::move(argv), nullptr);
}

Task<Result<std::shared_ptr<pool::Instance>>> InstanceStarter::start_with(
    function::VersionPtr version, std::vector<std::string> argv, observe::LogSourcePtr log) const {
  auto driver = drivers_.pick(*version);
  if (!driver) co_return fail(std::move(driver.error()));
  // Names cgroups and containers; a function's name may be longer than they allow.
  const std::string id = random_text(16, "abcdefghijklmnopqrstuvwxyz0123456789");
  std::filesystem::path task_directory;
  if (!version->code.package_digest.empty())
    task_directory = packages_.code_directory(version->code.package_digest);
  const pool::SpecInput input{*version, tenant_, runtimes_, task_directory, id, clock_.now()};
  auto spec = pool::make_spec(input);
  if (!spec) co_return fail(std::move(spec.error()));
  if (!argv.empty()) spec->argv = std::move(argv);
  const auto executor = co_await asio::this_coro::executor;
  const pool::Instance::Services services{std::move(log), clock_};
  auto instance = std::make_shared<pool::Instance>(executor, std::move(version), id, services);
  auto started = co_await instance->start(**driver, std::move(*spec));
  if (!started) co_return fail(std::move(started.error()));
  co_return instance;
}

}  // namespace lambda::invoke
