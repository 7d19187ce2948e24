// One deploy from the upload to the moved `live` alias: receive -> check -> build or prepare ->
// start and initialise -> commit. A deploy that fails anywhere changes nothing. Deploys of one
// function queue up; of several run side by side.
//
// Threads: both on any loop; progress callbacks come on that loop.
#pragma once

#include "base/async.h"
#include "base/result.h"
#include "function/catalog.h"
#include "function/function.h"
#include "function/variable_change.h"
#include "http/body.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::deploy {

enum class Source {
  zip,      // the body is a zip of the function's code
  context,  // the body is a tar (optionally gzipped) of a Docker build context
  image,    // no body: `image` names a local Docker image
};

// How dependencies are installed.
struct BuildRequest {
  bool cache = true;                               // what an earlier installation brought will do
  std::map<std::string, std::string> environment;  // of the installation alone
};

// Settings as the caller named them; absent ones stay as they were (or get the defaults of `lambda
// deploy`: 30 s, 128 MB).
struct DeployRequest {
  std::string name;
  Source source = Source::zip;
  std::string image;
  std::optional<std::string> runtime;
  std::optional<std::string> handler;
  std::optional<function::Kind> kind;
  std::optional<std::uint16_t> port;
  std::optional<std::uint16_t> exposed_port;  // the Dockerfile's first EXPOSE, found by the client
  std::optional<unsigned> concurrency;
  std::optional<int> idle_seconds;    // 0: the server's
  std::optional<std::string> egress;  // in one form; "": the server's
  std::optional<unsigned> min_instances;
  std::optional<function::Isolation> isolation;
  std::optional<unsigned> cpu_thousandths;  // 0: no limit
  std::optional<int> timeout_seconds;
  std::optional<int> memory_mb;
  std::optional<int> ephemeral_storage_mb;
  std::optional<std::string> description;
  std::map<std::string, std::string> environment;  // merged over what was there ...
  bool environment_clear = false;                  // ... after emptying it
  function::SecretReferences secrets;              // the same of secrets that it asks for
  bool secrets_clear = false;
  std::optional<function::UrlAuth> url;
  function::LogSettingsChange logs;
  std::optional<function::DriverName> driver;
  std::map<std::string, std::string> tags;
  std::string message;
  std::optional<BuildRequest> build;  // of a zip: install what it depends on
  // Who asks for it answers for some functions alone: it brings no secret into one that none of its
  // versions has asked for.
  bool limited = false;
  // Asked before each stage that follows the upload: whether who asked for it still may. On the
  // deploy's loop; empty: yes.
  std::function<Result<Done>()> admitted;
};

// Of a function that is there; what is not named stays as it was.
struct EnvironmentChange {
  std::string function;
  std::map<std::string, std::string> set;
  std::vector<std::string> unset;
};

// What a person sees while it runs. Every call on the deploy's loop; must not throw.
class Progress {
 public:
  virtual ~Progress() = default;
  virtual void begin_step(int number,
                          std::string_view text) = 0;  // 2, "Preparing runtime python3.11"
  virtual void output(std::string_view text) = 0;      // the build's own output, verbatim
  virtual void end_step(int number, std::string_view text) = 0;  // 3, "Done. (init 21 ms)"
  // Calls `action` when nobody is left to see it, once; replaces an earlier one. An empty one
  // before what it refers to goes.
  virtual void when_abandoned(std::function<void()> action) = 0;
};

struct DeployReport {
  function::VersionPtr version;
  bool unchanged = false;
  std::chrono::microseconds init{0};
  std::vector<std::uint64_t> cleaned;            // versions that were removed
  std::optional<function::VersionShare> shared;  // what a second version got of `live` until now
  std::string driver;
  bool draft_kept = false;             // $LATEST was news: it is not live, and has the same change
  function::VariableChange variables;  // against what answered before
};

struct DeployFailure {
  std::string function_payload;  // the function's own error object when its init failed
  std::string log;               // what it wrote
};

class Deployer {
 public:
  virtual ~Deployer() = default;
  virtual Task<Result<DeployReport>> deploy(DeployRequest request, http::BodyReader& body,
                                            Progress& progress, DeployFailure& failure) = 0;
  // A new version of the code that is live, with other variables: started, initialised and made
  // live. A $LATEST that is news gets the same change and is not made live. Where $LATEST answers,
  // it is changed itself. Errors: not_found (the function, or a variable to unset), invalid, those
  // of the initialisation; nothing is changed then.
  virtual Task<Result<DeployReport>> change_environment(EnvironmentChange change) = 0;
  // Whether the deploy would be taken, as far as that can be told without its code. Any
  // thread.
  [[nodiscard]] virtual Result<Done> check(const DeployRequest& request) const = 0;
};

}  // namespace lambda::deploy
