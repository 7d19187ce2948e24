// Programs of the server's own that run in a sandbox, once: those that speak the Runtime API (the
// bytecode compiler), and those that whoever runs them speaks with (the installer of dependencies).
#include "base/background.h"
#include "base/crypto.h"
#include "invoke/shard.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lambda::invoke {
namespace {

// Gives the room of one instance back, however the work in it ends.
class RoomTaken {
 public:
  explicit RoomTaken(pool::InstanceBudget& budget) : budget_(budget) {}
  ~RoomTaken() { budget_.give_back(); }
  RoomTaken(const RoomTaken&) = delete;
  RoomTaken& operator=(const RoomTaken&) = delete;

 private:
  pool::InstanceBudget& budget_;
};

// The answer of a built-in program, or what it came to instead.
Result<std::string> builtin_answer(pool::CallResult result) {
  const auto log = result.log_tail.empty() ? std::string() : ": " + result.log_tail;
  if (result.failure) return fail(ErrorCode::sandbox_failed, "{}{}", result.failure->reason, log);
  auto& reply = *result.reply;
  switch (reply.kind) {
    case sandbox::RuntimeReply::Kind::response:
      return std::move(reply.body);
    case sandbox::RuntimeReply::Kind::error:
      return fail(ErrorCode::sandbox_failed, "{} {}{}", reply.error_type, reply.body, log);
    case sandbox::RuntimeReply::Kind::response_too_large:
      return fail(ErrorCode::sandbox_failed,
                  "its answer was larger than {} bytes (response_too_large){}",
                  sandbox::kMaxResponseBytes, log);
    case sandbox::RuntimeReply::Kind::invalid_mode:
      break;
  }
  return fail(ErrorCode::sandbox_failed, "it asked for a way to answer that there is not{}", log);
}

// Gives the program events until `take` has had enough.
Task<Result<Done>> converse(std::shared_ptr<pool::Instance> instance, std::chrono::seconds limit,
                            Invoker::TakeAnswer take) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) co_return fail(ErrorCode::timeout, "not done after {} s", limit.count());
    sandbox::RuntimeEvent event;
    event.request_id = random_uuid();
    event.payload = "{}";
    auto result = co_await instance->call(std::move(event), left);
    auto answer = builtin_answer(std::move(result));
    if (!answer) co_return fail(std::move(answer.error()));
    auto more = co_await take(std::move(*answer));
    if (!more) co_return fail(std::move(more.error()));
    if (!*more) co_return Done{};
  }
}

}  // namespace

Task<Result<Done>> Shard::take_room() {
  if (stopping_) co_return fail(ErrorCode::unavailable, "the server is shutting down");
  const auto deadline = std::chrono::steady_clock::now() + limits_.longest_wait;
  auto taking = pool::take_room(budget_, room_maker(), deadline);
  const bool taken = co_await std::move(taking);
  if (!taken) {
    co_return fail(ErrorCode::overloaded, "this server runs {} instances already, its limit",
                   budget_.limit());
  }
  co_return Done{};
}

Task<Result<Done>> Shard::run_builtin(function::VersionPtr version, std::vector<std::string> argv,
                                      std::chrono::seconds limit, Invoker::TakeAnswer take) {
  auto taken = co_await take_room();
  if (!taken) co_return fail(std::move(taken.error()));
  const RoomTaken room(budget_);
  auto instance = co_await starter_.start_program(std::move(version), std::move(argv));
  if (!instance) co_return fail(std::move(instance.error()));
  if (stopping_) {
    co_await (*instance)->end();
    co_return fail(ErrorCode::unavailable, "the server is shutting down");
  }
  std::erase_if(builtin_, [](const auto& gone) { return gone.expired(); });
  builtin_.push_back(*instance);
  Result<Done> done = Done{};
  if (const auto& failure = (*instance)->init_failure()) {
    done = fail(ErrorCode::sandbox_failed, "{} {}: {}", failure->type, failure->reason,
                (*instance)->init_log());
  } else {
    done = co_await converse(*instance, limit, std::move(take));
  }
  co_await (*instance)->end();
  co_return done;
}

Task<Result<Done>> Shard::run_tool(function::VersionPtr version, std::vector<std::string> argv,
                                   Invoker::UseSandbox use) {
  auto taken = co_await take_room();
  if (!taken) co_return fail(std::move(taken.error()));
  const RoomTaken room(budget_);
  const auto tool = std::make_shared<RunningTool>();
  std::erase_if(tools_, [](const auto& gone) { return gone.expired(); });
  tools_.push_back(tool);
  Result<Done> done = Done{};
  auto sandbox = co_await starter_.start_sandbox(std::move(version), std::move(argv));
  if (sandbox) {
    const auto executor = co_await asio::this_coro::executor;
    asio::co_spawn(executor, watch_exit(tool, **sandbox), in_background("the exit of a tool"));
    done = co_await use(**sandbox, tool->run);
    auto stopped = co_await (*sandbox)->stop();
    if (done && !stopped) done = fail(std::move(stopped.error()));
    co_await tool->watched.wait_through();
  } else {
    done = fail(std::move(sandbox.error()));
  }
  tool->ended.set();
  co_return done;
}

Task<void> Shard::watch_exit(std::shared_ptr<RunningTool> tool, sandbox::Sandbox& sandbox) {
  tool->run.exit = co_await sandbox.wait_exit();
  tool->run.over.set();
  tool->watched.set();
}

Task<void> Shard::end_tools(SteadyTime deadline) {
  for (const auto& one : std::exchange(tools_, {})) {
    const auto tool = one.lock();
    if (!tool) continue;
    tool->run.over.set();
    co_await tool->ended.wait_until(deadline);
  }
}

}  // namespace lambda::invoke
