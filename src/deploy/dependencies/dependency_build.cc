// Steps: a file for the result -> the sandbox -> proxy and output, until the program ends, time is
// up, nobody waits any more, or a limit is passed -> what it came to.
#include "deploy/dependencies/dependency_build.h"

#include "base/crypto.h"
#include "base/unique_fd.h"
#include "deploy/dependencies/build_output.h"
#include "function/package_files.h"

#include <algorithm>
#include <fcntl.h>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace lambda::deploy {
namespace {

namespace fs = std::filesystem;
using Environment = std::map<std::string, std::string>;

// Refusals that are said one by one.
constexpr std::size_t kMostRefusals = 20;

// The result on its way to disk; shared with the disk's threads.
struct ResultFile {
  explicit ResultFile(fs::path path) : file(std::make_shared<TemporaryFile>(std::move(path))) {}
  std::shared_ptr<TemporaryFile> file;
  UniqueFd fd;
};

Task<Result<Done>> append(BlockingPool* disk, std::shared_ptr<ResultFile> result,
                          std::string piece) {
  auto write = [result, piece = std::move(piece)] {
    return function::write_all(result->fd.get(), piece, result->file->path());
  };
  co_return co_await run_blocking(*disk, std::move(write));
}

// What was not allowed or not reached, each once, among the output.
class Unreached {
 public:
  explicit Unreached(Progress& progress) : progress_(progress) {}
  void add(const Error& why) {
    const bool refused = why.code() == ErrorCode::denied;
    const auto text =
        plain_text(fmt::format("{}: {}", refused ? "Not allowed" : "Not reached", why.message()));
    if (said_.size() >= kMostRefusals || !said_.insert(text).second) return;
    if (!first_) first_ = Error(why.code(), text);
    progress_.output(text + "\n");
  }
  [[nodiscard]] const std::optional<Error>& first() const { return first_; }

 private:
  Progress& progress_;
  std::set<std::string> said_;
  std::optional<Error> first_;
};

// While it lives, a client that goes away ends the run.
class EndsWithClient {
 public:
  EndsWithClient(Progress& progress, invoke::Invoker::ToolRun& run) : progress_(progress) {
    progress_.when_abandoned([this, &run] {
      abandoned_ = true;
      run.over.set();
    });
  }
  ~EndsWithClient() { progress_.when_abandoned({}); }
  EndsWithClient(const EndsWithClient&) = delete;
  EndsWithClient& operator=(const EndsWithClient&) = delete;
  [[nodiscard]] bool abandoned() const { return abandoned_; }

 private:
  Progress& progress_;
  bool abandoned_ = false;
};

struct Ending {
  bool abandoned = false;
  bool late = false;
};

// What the run came to.
// `unreached`: what the installer, which takes it for an index without the package, may not have
// told.
Result<Done> outcome(const invoke::Invoker::ToolRun& run, const BuildProxy& proxy, Ending ending,
                     std::chrono::seconds limit, const std::optional<Error>& unreached) {
  if (proxy.error()) return fail(Error(*proxy.error()));
  if (ending.abandoned)
    return fail(ErrorCode::unavailable, "nobody waits for the dependencies any more");
  if (ending.late) {
    return fail(ErrorCode::sandbox_failed,
                "the dependencies were not installed within {} s, and the build was ended: the "
                "server's build_time sets the limit",
                limit.count());
  }
  if (!run.exit) return fail(ErrorCode::unavailable, "the server is shutting down");
  if (run.exit->out_of_memory) {
    return fail(ErrorCode::invalid,
                "the dependencies could not be installed: that takes more than {} MB of memory. "
                "Deploy with a Dockerfile, or with wheels and prebuilt packages",
                kBuildMemoryMb);
  }
  if (proxy.failure() && !proxy.failure()->empty()) {
    // A registry that is away is nothing wrong with the folder.
    const bool away = unreached && unreached->code() != ErrorCode::denied;
    return fail(away ? ErrorCode::unavailable : ErrorCode::invalid,
                "the dependencies could not be installed: {}{}{}", *proxy.failure(),
                unreached ? ". " : "", unreached ? unreached->message() : "");
  }
  if (run.exit->code == 0 && proxy.has_result()) return Done{};
  if (!run.exit->detail.empty())
    return fail(ErrorCode::sandbox_failed, "the installer of dependencies: {}", run.exit->detail);
  return fail(ErrorCode::invalid,
              "the dependencies could not be installed: the installer {} without handing anything "
              "over; its output says more",
              run.exit->signal
                  ? fmt::format("was ended by signal {}", *run.exit->signal)
                  : fmt::format("ended with exit status {}", run.exit->code.value_or(0)));
}

struct Work {
  const BuildParts* parts;
  Progress* progress;
  std::shared_ptr<ResultFile> result;
};

Task<Result<Done>> oversee(Work work, sandbox::Sandbox& sandbox, invoke::Invoker::ToolRun& run) {
  const auto deadline = std::chrono::steady_clock::now() + work.parts->limit;
  const auto executor = co_await asio::this_coro::executor;
  auto& progress = *work.progress;
  auto output = BuildOutput::open(executor, sandbox.take_log(),
                                  [&progress](std::string_view text) { progress.output(text); });
  if (!output) co_return fail(std::move(output.error()));
  Unreached unreached(progress);
  BuildProxy::Parts parts;
  parts.find = work.parts->find;
  parts.rules = work.parts->rules;
  parts.take = [disk = &work.parts->disk, result = work.result](std::string piece) {
    return append(disk, result, std::move(piece));
  };
  parts.on_unreached = [&unreached](const Error& why) { unreached.add(why); };
  parts.on_error = [&run] { run.over.set(); };
  auto proxy = BuildProxy::open(executor, sandbox.take_runtime_listener(), std::move(parts), {});
  if (!proxy) co_return fail(std::move(proxy.error()));
  Ending ending;
  {
    const EndsWithClient client(progress, run);
    ending.late = !co_await run.over.wait_until(deadline);
    ending.abandoned = client.abandoned();
  }
  // Whatever else runs in there: it has nobody to talk to any more.
  auto stopped = co_await sandbox.stop();
  co_await (*proxy)->close();
  (*output)->close();
  if (!stopped) co_return fail(std::move(stopped.error()));
  co_return outcome(run, **proxy, ending, work.parts->limit, unreached.first());
}

Environment installer_environment(Environment wanted) {
  const auto proxy = fmt::format("http://127.0.0.1:{}", sandbox::kRuntimeApiPort);
  for (const auto* name : {"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"})
    wanted[name] = proxy;
  wanted["HOME"] = "/tmp/home";
  wanted["TMPDIR"] = "/tmp";
  wanted["NO_COLOR"] = "1";
  wanted["CI"] = "1";
  return wanted;
}

std::vector<std::string> installer_argv(std::string_view family) {
  const auto program = fmt::format("/{}", installer_of(family));
  if (family == "python") return {"/usr/bin/python3", "-I", program};
  return {"/var/lang/bin/node", program};
}

}  // namespace

std::string_view installer_of(std::string_view family) {
  if (family == "python") return "var/runtime/install_dependencies.py";
  if (family == "node") return "var/runtime/install_dependencies.mjs";
  return {};
}

Task<Result<std::shared_ptr<TemporaryFile>>> run_build(const BuildParts& parts,
                                                       const function::Version& version,
                                                       std::string_view family,
                                                       Environment environment,
                                                       Progress& progress) {
  const auto result =
      std::make_shared<ResultFile>(parts.temporary / ("installed-" + random_uuid()));
  result->fd =
      UniqueFd(::open(result->file->path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!result->fd) co_return fail(function::disk_error("create", result->file->path()));
  // The same function with the installer in its place: a handler, whatever the function is.
  auto installer = std::make_shared<function::Version>(version);
  auto& configuration = installer->configuration;
  configuration.kind = function::Kind::handler;
  configuration.memory_mb = kBuildMemoryMb;
  configuration.ephemeral_storage_mb = kBuildDiskMb;
  configuration.environment = installer_environment(std::move(environment));
  const Work work{&parts, &progress, result};
  invoke::Invoker::UseSandbox use = [work](sandbox::Sandbox& sandbox,
                                           invoke::Invoker::ToolRun& run) {
    return oversee(work, sandbox, run);
  };
  auto argv = installer_argv(family);
  function::VersionPtr shown = installer;
  auto done = co_await parts.invoker.run_tool(std::move(shown), std::move(argv), std::move(use));
  if (!done) co_return fail(std::move(done.error()));
  co_return result->file;
}

}  // namespace lambda::deploy
