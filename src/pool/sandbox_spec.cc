#include "pool/sandbox_spec.h"

#include "base/crypto.h"
#include "base/encoding.h"
#include "sandbox/zygote_program.h"

#include <boost/json.hpp>
#include <spdlog/fmt/chrono.h>

namespace lambda::pool {
namespace {

using Environment = std::map<std::string, std::string>;

constexpr std::uint64_t kMiB = 1024ull * 1024;

std::string log_stream(const SpecInput& input) {
  const auto seconds = std::chrono::time_point_cast<std::chrono::seconds>(input.now);
  return fmt::format("{:%Y/%m/%d}/[{}]{}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     input.version.label(), hex_encode(random_bytes(16)));
}

// What a runtime's process, its libraries and its loader look at when it starts. A function that
// sets one of these itself has to be there before its runtime's process is.
bool is_read_at_start(std::string_view name) {
  for (const std::string_view prefix :
       {"LD_", "PYTHON", "NODE_", "MALLOC_", "GLIBC_", "GCONV_", "OPENSSL_", "SSL_", "UV_", "ICU_",
        "LC_", "LANG", "LOCPATH", "TZ", "PATH"}) {
    if (name.starts_with(prefix)) return true;
  }
  return name == "AWS_LAMBDA_RUNTIME_API";
}

Environment read_at_start(const Environment& environment) {
  Environment read;
  for (const auto& [name, value] : environment) {
    if (is_read_at_start(name)) read.emplace(name, value);
  }
  return read;
}

// What every function sees, whatever its runtime.
Environment lambda_environment(const SpecInput& input) {
  const auto& version = input.version;
  const auto& configuration = version.configuration;
  const std::string api = fmt::format("127.0.0.1:{}", sandbox::kRuntimeApiPort);
  Environment environment{
      {"AWS_LAMBDA_FUNCTION_NAME", version.function},
      {"AWS_LAMBDA_FUNCTION_VERSION", version.label()},
      {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", std::to_string(configuration.memory_mb)},
      {"AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/" + version.function},
      {"AWS_LAMBDA_LOG_STREAM_NAME", log_stream(input)},
      {"AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"},
      {"AWS_REGION", input.tenant.region},
      {"AWS_DEFAULT_REGION", input.tenant.region},
      {"LAMBDA_TASK_ROOT", "/var/task"},
      {"LAMBDA_RUNTIME_DIR", "/var/runtime"},
      {"TZ", std::string(sandbox::kTimeZone)},
      {"LANG", std::string(sandbox::kLanguage)},
      {"PATH", std::string(sandbox::kProgramPath)},
      {"LD_LIBRARY_PATH", std::string(sandbox::kLibraryPath)},
      {"AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"},
  };
  if (configuration.kind == function::Kind::handler) {
    environment["AWS_LAMBDA_RUNTIME_API"] = api;
  } else {
    environment["PORT"] = std::to_string(http_port(version));
  }
  if (!configuration.handler.empty()) environment["_HANDLER"] = configuration.handler;
  return environment;
}

void overlay(Environment& environment, const Environment& more) {
  for (const auto& [name, value] : more) environment[name] = value;
}

std::vector<std::string> strings_of(const boost::json::object& object, std::string_view key) {
  std::vector<std::string> strings;
  const auto* array = object.if_contains(key);
  if (array == nullptr || !array->is_array()) return strings;
  for (const auto& item : array->as_array()) {
    if (item.is_string()) strings.emplace_back(item.as_string());
  }
  return strings;
}

// An image says itself how it starts; ImageConfig overrides it part by part, as on AWS.
Result<Done> fill_image(const SpecInput& input, sandbox::SandboxSpec& spec) {
  const auto& version = input.version;
  boost::system::error_code error;
  const auto parsed = boost::json::parse(version.code.image_info, error);
  if (error || !parsed.is_object()) {
    return fail(ErrorCode::internal, "image {} of function {} has no description: deploy it again",
                version.code.image_uri, version.function);
  }
  const auto& info = parsed.as_object();
  auto entry_point = strings_of(info, "entryPoint");
  auto command = strings_of(info, "command");
  const auto* directory = info.if_contains("workingDirectory");
  if (directory != nullptr && directory->is_string())
    spec.working_directory = directory->as_string();
  if (const auto& own = version.configuration.image_config) {
    if (!own->entry_point.empty()) entry_point = own->entry_point;
    if (!own->command.empty()) command = own->command;
    if (!own->working_directory.empty()) spec.working_directory = own->working_directory;
  }
  if (spec.working_directory.empty()) spec.working_directory = "/";
  spec.argv = std::move(entry_point);
  spec.argv.insert(spec.argv.end(), command.begin(), command.end());
  if (spec.argv.empty()) {
    return fail(
        ErrorCode::invalid,
        "image {} has neither ENTRYPOINT nor CMD: name what it should run in its Dockerfile",
        version.code.image_uri);
  }
  Environment environment;
  const auto* own_environment = info.if_contains("environment");
  if (own_environment != nullptr && own_environment->is_object()) {
    for (const auto& [name, value] : own_environment->as_object()) {
      if (value.is_string()) environment.emplace(name, value.as_string());
    }
  }
  auto platform = lambda_environment(input);
  // An image's programs are found by the image's own paths.
  if (environment.contains("PATH")) platform.erase("PATH");
  platform.erase("LD_LIBRARY_PATH");
  overlay(environment, platform);
  spec.environment = std::move(environment);
  spec.image_id = version.code.image_id;
  return Done{};
}

// An HTTP function in a zip: `bootstrap`, or the file that its handler names, run by the
// interpreter.
std::vector<std::string> http_argv(const sandbox::Runtime& runtime, const std::string& handler) {
  if (runtime.family == "python") return {"python3", "-u", handler};
  if (runtime.family == "node") return {"node", handler};
  return runtime.argv;
}

Result<Done> fill_runtime(const SpecInput& input, sandbox::SandboxSpec& spec) {
  const auto& configuration = input.version.configuration;
  auto runtime = input.runtimes.find(configuration.runtime);
  if (!runtime) return fail(std::move(runtime.error()));
  spec.runtime = runtime->name;
  spec.task_directory = input.task_directory;
  spec.environment = lambda_environment(input);
  overlay(spec.environment, runtime->environment);
  if (runtime->family != "provided") {
    spec.environment["AWS_EXECUTION_ENV"] = "AWS_Lambda_" + configuration.runtime;
  }
  spec.argv = configuration.kind == function::Kind::http
                  ? http_argv(*runtime, configuration.handler)
                  : runtime->argv;
  if (runtime->stem && configuration.kind == function::Kind::handler)
    spec.stem_environment = read_at_start(spec.environment);
  return Done{};
}

}  // namespace

std::uint16_t http_port(const function::Version& version) {
  return version.configuration.port.value_or(kDefaultHttpPort);
}

Result<sandbox::SandboxSpec> make_spec(const SpecInput& input) {
  const auto& configuration = input.version.configuration;
  sandbox::SandboxSpec spec;
  spec.id = input.instance_id;
  spec.function = input.version.function;
  spec.version = input.version.label();
  spec.memory_bytes = static_cast<std::uint64_t>(configuration.memory_mb) * kMiB;
  spec.tmp_bytes = static_cast<std::uint64_t>(configuration.ephemeral_storage_mb) * kMiB;
  spec.egress = input.egress;
  if (configuration.egress) {
    auto egress = parse_egress(*configuration.egress);
    if (!egress) return fail(std::move(egress.error()));
    spec.egress = std::move(*egress);
  }
  auto filled = configuration.package_type == function::PackageType::image
                    ? fill_image(input, spec)
                    : fill_runtime(input, spec);
  if (!filled) return fail(std::move(filled.error()));
  if (configuration.environment) overlay(spec.environment, *configuration.environment);
  overlay(spec.environment, input.secrets.environment);
  spec.secret_files = input.secrets.files;
  spec.may_fork = configuration.isolation == function::Isolation::fork;
  if (const auto wrapper = spec.environment.find("AWS_LAMBDA_EXEC_WRAPPER");
      wrapper != spec.environment.end()) {
    spec.argv.insert(spec.argv.begin(), wrapper->second);
    spec.stem_environment.clear();
  }
  if (read_at_start(spec.environment) != spec.stem_environment) spec.stem_environment.clear();
  return spec;
}

}  // namespace lambda::pool
