#include "invoke/instance_starter.h"

#include "base/crypto.h"
#include "pool/sandbox_spec.h"

namespace lambda::invoke {
namespace {

// A sandbox without a runtime in it has nothing to initialise.
constexpr std::chrono::seconds kStartLimit{30};

}  // namespace

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
                                 const function::PackageStore& packages,
                                 const function::SecretTable& secrets, observe::LogStore& logs,
                                 const Clock& clock, function::Tenant tenant, EgressRule egress)
    : drivers_(std::move(drivers)),
      runtimes_(runtimes),
      packages_(packages),
      secrets_(secrets),
      logs_(logs),
      clock_(clock),
      tenant_(std::move(tenant)),
      egress_(std::move(egress)) {}

Task<Result<std::shared_ptr<pool::Instance>>> InstanceStarter::start(
    function::VersionPtr version, observe::LogSourcePtr log) const {
  auto secrets = secrets_.values_for(version->function, version->configuration.secrets);
  if (!secrets) {
    const auto executor = co_await asio::this_coro::executor;
    co_return refused(executor, std::move(version), std::move(log), secrets.error().message());
  }
  co_return co_await start_with(std::move(version), {}, std::move(log), std::move(*secrets));
}

Task<Result<std::shared_ptr<pool::Instance>>> InstanceStarter::start_program(
    function::VersionPtr version, std::vector<std::string> argv) const {
  function::SecretValues none;
  co_return co_await start_with(std::move(version), std::move(argv), nullptr, std::move(none));
}

// Names cgroups and containers; a function's name may be longer than they allow.
std::string InstanceStarter::new_id() {
  return random_text(16, "abcdefghijklmnopqrstuvwxyz0123456789");
}

std::shared_ptr<pool::Instance> InstanceStarter::refused(LoopExecutor executor,
                                                         function::VersionPtr version,
                                                         observe::LogSourcePtr log,
                                                         std::string reason) const {
  const pool::Instance::Services services{std::move(log), clock_};
  auto instance =
      std::make_shared<pool::Instance>(executor, std::move(version), new_id(), services);
  pool::Failure failure;
  failure.kind = pool::Failure::Kind::init;
  failure.type = "Lambda.SecretNotFound";
  failure.reason = std::move(reason);
  instance->refuse_start(std::move(failure));
  return instance;
}

Task<Result<std::unique_ptr<sandbox::Sandbox>>> InstanceStarter::start_sandbox(
    function::VersionPtr version, std::vector<std::string> argv) const {
  auto driver = drivers_.pick(*version);
  if (!driver) co_return fail(std::move(driver.error()));
  auto spec = spec_of(*version, new_id(), std::move(argv), function::SecretValues());
  if (!spec) co_return fail(std::move(spec.error()));
  co_return co_await (*driver)->start(std::move(*spec),
                                      std::chrono::steady_clock::now() + kStartLimit);
}

Result<sandbox::SandboxSpec> InstanceStarter::spec_of(const function::Version& version,
                                                      std::string id, std::vector<std::string> argv,
                                                      function::SecretValues secrets) const {
  std::filesystem::path task_directory;
  if (!version.code.package_digest.empty())
    task_directory = packages_.code_directory(version.code.package_digest);
  const pool::SpecInput input{version,       tenant_,      runtimes_, task_directory,
                              std::move(id), clock_.now(), egress_,   std::move(secrets)};
  auto spec = pool::make_spec(input);
  if (spec && !argv.empty()) {
    spec->argv = std::move(argv);
    spec->stem_environment.clear();
    spec->egress = {};
  }
  return spec;
}

void InstanceStarter::expect(const function::Version& version) const {
  const auto driver = drivers_.pick(version);
  if (!driver) return;
  const auto spec = spec_of(version, new_id(), {}, function::SecretValues());
  if (spec) (*driver)->expect(*spec);
}

Task<Result<std::shared_ptr<pool::Instance>>> InstanceStarter::start_with(
    function::VersionPtr version, std::vector<std::string> argv, observe::LogSourcePtr log,
    function::SecretValues secrets) const {
  auto driver = drivers_.pick(*version);
  if (!driver) co_return fail(std::move(driver.error()));
  const auto id = new_id();
  auto spec = spec_of(*version, id, std::move(argv), std::move(secrets));
  if (!spec) co_return fail(std::move(spec.error()));
  const auto executor = co_await asio::this_coro::executor;
  const pool::Instance::Services services{std::move(log), clock_};
  auto instance = std::make_shared<pool::Instance>(executor, std::move(version), id, services);
  auto started = co_await instance->start(**driver, std::move(*spec));
  if (!started) co_return fail(std::move(started.error()));
  co_return instance;
}

}  // namespace lambda::invoke
