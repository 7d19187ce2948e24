// ScriptedDriver: a Driver for unit tests. Its sandboxes are coroutines of this process that speak
// the Runtime API over a real loopback socket and write to a real pipe; nothing is isolated.
//
// Threads: the loop that start() ran on. The driver outlives its sandboxes.
#pragma once

#include "http/client.h"
#include "sandbox/sandbox.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::sandbox {

// What runs "inside": the script's hands, shared with the sandbox that the driver gave out.
class ScriptedRuntime {
 public:
  ScriptedRuntime(SandboxSpec started_with, std::uint16_t api_port, UniqueFd log);

  struct Event {
    std::string id;
    std::string payload;
    http::Headers headers;
  };
  // Nothing when the Runtime API refuses, or the sandbox has ended.
  Task<std::optional<Event>> next();
  // The status of the reply; 0 without one. `path` is below /2018-06-01/runtime/.
  Task<unsigned> post(std::string path, std::string body, http::Headers headers = {});
  Task<unsigned> respond(std::string id, std::string body);
  // Answers every event with `answer` of its payload until the sandbox ends.
  Task<void> serve(std::function<std::string(const Event&)> answer);

  void say(std::string_view text) const;
  void exit(ExitStatus status);

  SandboxSpec spec;
  // An HTTP function: what to do with the other end of a new connection to its port. Not set:
  // nobody listens.
  std::function<void(UniqueFd)> on_connect;
  std::optional<ExitStatus> status;
  bool frozen = false;  // what it runs is not held up by it
  int freezes = 0, thaws = 0;
  unsigned cpu_thousandths = 0;         // 0: no limit
  std::optional<Error> limit_refusal;   // set: what setting it fails with
  AsyncEvent* hold_motion = nullptr;    // set: neither ends before this
  std::optional<Error> motion_refusal;  // set: what both fail with
  AsyncEvent exited;
  bool stopped = false;

 private:
  Task<Result<http::Response>> ask(http::Request request, std::string body);

  std::uint16_t api_port_;
  UniqueFd log_;
  std::unique_ptr<http::ClientConnection> connection_;
};

class ScriptedDriver final : public Driver {
 public:
  using RuntimePtr = std::shared_ptr<ScriptedRuntime>;
  using Script = std::function<Task<void>(RuntimePtr)>;
  explicit ScriptedDriver(Script what_runs) : script(std::move(what_runs)) {}

  [[nodiscard]] std::string_view name() const override { return "scripted"; }
  Task<Result<std::unique_ptr<Sandbox>>> start(
      SandboxSpec spec, std::chrono::steady_clock::time_point deadline) override;
  Task<Result<std::string>> probe() override { co_return std::string("a script"); }

  // For the starts to come.
  Script script;
  std::optional<Error> refusal;
  bool broken_log = false;       // what the sandbox gives out as its log cannot be read
  bool broken_listener = false;  // nor accepted from
  // All that were started, in order.
  std::vector<RuntimePtr> runtimes;
};

}  // namespace lambda::sandbox
